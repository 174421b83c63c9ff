//! Display names.

use crate::returns::is_invisible;

/// The largest number of characters in a display name.
const LONGEST: usize = 64;
/// Joins or parts its neighbours, and is invisible: the zero width non-joiner and joiner.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Whether a character is invisible, or changes the display of its neighbours.
pub(crate) fn hides(c: char) -> bool {
    c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether a character is drawn as nothing, although it counts as a letter, a symbol or a mark.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        )
        || matches!(c, '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a script needs joiners within its words: Arabic and its neighbours, those of India and Sri Lanka, Burmese, Khmer,
/// Mongolian (RFC 5892, A.1 and A.2).
fn is_of_joining_script(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
        || matches!(c, '\u{1800}'..='\u{18af}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

/// Whether a character is a part of an emoji sequence, such as a family.
fn is_of_emoji(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether a joiner does something between these two.
fn joins(joiner: char, before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    let both = |is: fn(char) -> bool| is(before) && is(after);
    both(is_of_joining_script) || (joiner == JOINERS[1] && both(is_of_emoji))
}

/// Whether a name may be shown to users: 1 to 64 characters, at least one of them visible, and none that hides. Joiners are allowed
/// where a script needs them.
pub(crate) fn is_shown_name(name: &str) -> bool {
    let chars: Vec<char> = name.chars().collect();
    let may_be_there = |at: usize, c: char| match JOINERS.contains(&c) {
        true => joins(c, at.checked_sub(1).map(|before| chars[before]), chars.get(at + 1).copied()),
        false => !hides(c),
    };
    chars.len() <= LONGEST
        && chars.iter().any(|c| !is_blank(*c) && !JOINERS.contains(c))
        && chars.iter().enumerate().all(|(at, c)| may_be_there(at, *c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_visible_and_joined_where_their_script_needs_it() {
        for good in [
            "A",
            "\u{5c0f}\u{5e97}",
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}", // Persian
            "\u{915}\u{94d}\u{200d}\u{937}",                             // Hindi
            "\u{dc1}\u{dca}\u{200d}\u{dbb}\u{dd3}",                      // Sinhala
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",               // a family
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",                         // a heart on fire
            "\u{1f469}\u{1f3fd}\u{200d}\u{2695}\u{fe0f}",                // a health worker
        ] {
            assert!(is_shown_name(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "a\u{200d}b",
            "a\u{200c}",
            "\u{200d}a",
            "\u{200d}",
            "\u{645}\u{200c}",
            "\u{645}\u{200c}\u{200c}\u{645}",
            "\u{1f468}\u{200c}\u{1f469}",
            "a\u{200b}b",
            "a\u{202e}b",
            "\u{3164}",
            "\u{2800}\u{2800}",
            "\u{fe0f}",
            "\u{115f}\u{1160}",
            "\u{e0041}",
            "a\nb",
        ] {
            assert!(!is_shown_name(bad), "{bad:?}");
        }
        assert!(is_shown_name(&"a".repeat(64)) && !is_shown_name(&"a".repeat(65)));
    }
}
