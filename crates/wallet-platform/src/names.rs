//! Display names.

use crate::returns::is_invisible;

/// Whether a character is invisible, or changes the display of its neighbours.
pub(crate) fn hides(c: char) -> bool {
    c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether a name may be shown to users: 1 to 64 characters, all of them visible.
pub(crate) fn is_shown_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= 64 && !name.contains(hides)
}
