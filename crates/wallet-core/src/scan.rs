//! Byte scanning for the escape codecs: finds the next byte to escape, eight bytes per step (SWAR).

/// A table indexed by byte: `true` if the byte needs no escape.
pub(crate) type Plain = [bool; 256];

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Sets the high bit of each byte of `word` that equals `byte`. Only the lowest set bit is exact.
#[inline]
pub(crate) const fn mark_equal(word: u64, byte: u8) -> u64 {
    let word = word ^ (ONES * byte as u64);
    word.wrapping_sub(ONES) & !word & HIGH
}

/// Sets the high bit of each byte of `word` below `limit` (at most 128). Only the lowest set bit is exact.
#[inline]
pub(crate) const fn mark_below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * limit as u64) & !word & HIGH
}

/// An eight-bit mask: bit `i` is set if byte `i` of `word` equals `byte`. Every bit is exact.
#[inline]
pub(crate) const fn bits_equal(word: u64, byte: u8) -> u64 {
    let word = word ^ (ONES * byte as u64);
    let marked = !(((word & !HIGH).wrapping_add(!HIGH)) | word) & HIGH;
    // Gathers the bits 7, 15, 23, … in the highest byte.
    (marked >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Whether `marks` marks any byte. Reads eight bytes per step without a branch. `marks` must not mark `a`, the padding.
#[inline]
pub(crate) fn any_marked(bytes: &[u8], marks: impl Fn(u64) -> u64) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let marked = words.iter().fold(0, |marked, word| marked | marks(u64::from_le_bytes(*word)));
    if tail.is_empty() {
        return marked != 0;
    }
    // The tail: the last eight bytes (some are read twice), or all bytes of a shorter input in one word.
    let last = match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(last), ..) => u64::from_le_bytes(*last),
        (None, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => tail.iter().fold(ONES * u64::from(b'a'), |word, byte| word << 8 | u64::from(*byte)),
    };
    marked | marks(last) != 0
}

/// A 64-bit mask: bit `i` is set if byte `i` of `block` equals `byte`.
#[inline]
pub(crate) fn mask_equal(block: &[u8; 64], byte: u8) -> u64 {
    let (words, _) = block.as_chunks::<8>();
    words.iter().rev().fold(0, |mask, word| mask << 8 | bits_equal(u64::from_le_bytes(*word), byte))
}

/// The offset of the first byte that `marks` marks, or the length. Reads eight bytes per step. `marks` must not mark `a`,
/// the padding byte.
#[inline]
pub(crate) fn find_marked(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let first = |word: [u8; 8]| {
        let marked = marks(u64::from_le_bytes(word));
        (marked != 0).then_some((marked.trailing_zeros() / 8) as usize)
    };
    let (words, tail) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        if let Some(within) = first(*word) {
            return at * 8 + within;
        }
    }
    if tail.is_empty() {
        return bytes.len();
    }
    // The tail: read the last eight bytes. The bytes that overlap the loop are not marked.
    if let Some(last) = bytes.last_chunk::<8>() {
        return first(*last).map_or(bytes.len(), |within| bytes.len() - 8 + within);
    }
    let mut padded = [b'a'; 8];
    padded.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    first(padded).unwrap_or(bytes.len())
}

/// The number of bytes before the first byte that must be escaped. Tests eight bytes per branch.
pub(crate) fn plain_len(plain: &Plain, bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| plain[usize::from(*byte)];
    let (eights, tail) = bytes.as_chunks::<8>();
    let all = |eight: &&[u8; 8]| eight.iter().fold(true, |all, byte| all & is_plain(byte));
    let skipped = 8 * eights.iter().take_while(all).count();
    // The tail: read the last eight bytes. The bytes that overlap the loop are plain.
    if skipped + tail.len() == bytes.len() && bytes.last_chunk().is_some_and(|last| all(&last)) {
        return bytes.len();
    }
    skipped + bytes[skipped..].iter().take_while(|byte| is_plain(byte)).count()
}

/// Appends `text`: copies plain bytes and calls `escape` for every other byte.
pub(crate) fn copy_escaped(
    plain: &Plain,
    text: &str,
    out: &mut Vec<u8>,
    mut escape: impl FnMut(u8, &mut Vec<u8>),
) {
    let mut rest = text.as_bytes();
    loop {
        let run = plain_len(plain, rest);
        out.extend_from_slice(&rest[..run]);
        let Some((&byte, after)) = rest[run..].split_first() else { return };
        escape(byte, out);
        rest = after;
    }
}

/// Appends `%` and two hexadecimal digits.
pub(crate) fn push_percent(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// The value of each hexadecimal digit; 255 for any other byte.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// The value of a hexadecimal digit.
pub(crate) fn hex_digit(byte: u8) -> Option<u8> {
    Some(DIGITS[usize::from(byte)]).filter(|value| *value < 16)
}

/// Decodes two hexadecimal digits into a byte.
#[inline]
pub(crate) fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (DIGITS[usize::from(high)], DIGITS[usize::from(low)]);
    (high | low < 16).then_some(high << 4 | low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_marked_byte_is_found_at_every_position() {
        let marks = |word| mark_equal(word, b'%') | mark_below(word, 0x20);
        for length in 0..40 {
            let plain: Vec<u8> =
                (0..length).map(|at| [b'a', 0x80, 0xff, b'~', 0x20, b'$', b'&'][at % 7]).collect();
            assert_eq!(find_marked(&plain, marks), length);
            for at in 0..length {
                for byte in [b'%', 0, 0x1f] {
                    let mut text = plain.clone();
                    text[at] = byte;
                    assert_eq!(find_marked(&text, marks), at);
                    text[length - 1] = b'%';
                    assert_eq!(find_marked(&text, marks), at);
                }
            }
        }
    }

    #[test]
    fn any_marked_sees_one_byte_at_every_position() {
        let bad = |word| mark_equal(word, b'%') | mark_below(word, 0x20);
        for length in 0..200 {
            let plain: Vec<u8> = (0..length).map(|at| [b'a', 0x80, 0xff, b'~', b'$'][at % 5]).collect();
            assert!(!any_marked(&plain, bad));
            for at in 0..length {
                let mut text = plain.clone();
                text[at] = b'\n';
                assert!(any_marked(&text, bad), "{length} {at}");
            }
        }
    }

    #[test]
    fn bits_are_exact() {
        for bits in 0..=255_u64 {
            let word: [u8; 8] =
                std::array::from_fn(
                    |at| if bits >> at & 1 == 1 { b'%' } else { [b'$', b'&', 0xa5, 0][at % 4] },
                );
            assert_eq!(bits_equal(u64::from_le_bytes(word), b'%'), bits);
        }
    }

    #[test]
    fn digits_are_hexadecimal() {
        for value in 0..=255_u8 {
            assert_eq!(hex_digit(value).map(u32::from), char::from(value).to_digit(16));
        }
        assert_eq!((hex_byte(b'f', b'0'), hex_byte(b'A', b'9')), (Some(0xf0), Some(0xa9)));
        assert_eq!((hex_byte(b'g', b'0'), hex_byte(b'0', b'%'), hex_byte(0xff, 0xff)), (None, None, None));
    }
}
