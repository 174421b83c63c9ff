//! Runs of bytes that may be copied as they stand.

/// For each byte whether it stands for itself.
pub(crate) type Plain = [bool; 256];

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Marks the bytes of a word that are `byte`. The lowest mark is right; there may be wrong ones above it.
#[inline]
pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
    let word = word ^ (ONES * byte as u64);
    word.wrapping_sub(ONES) & !word & HIGH
}

/// Marks the bytes of a word that are below `limit`, which is at most 128. The lowest mark is right.
#[inline]
pub(crate) const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * limit as u64) & !word & HIGH
}

/// One bit for each byte of a word that is `byte`, the first byte's the lowest. Exact.
#[inline]
pub(crate) const fn bits_equal(word: u64, byte: u8) -> u64 {
    let word = word ^ (ONES * byte as u64);
    let marked = !(((word & !HIGH).wrapping_add(!HIGH)) | word) & HIGH;
    // Gathers the bits 7, 15, 23, … in the highest byte.
    (marked >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Whether `marks` marks any byte. Eight at a time, without a branch between them. `a` is never marked.
#[inline]
pub(crate) fn any(bytes: &[u8], marks: impl Fn(u64) -> u64) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let marked = words.iter().fold(0, |marked, word| marked | marks(u64::from_le_bytes(*word)));
    if tail.is_empty() {
        return marked != 0;
    }
    // The last eight once more, or what there is in one word.
    let last = match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(last), ..) => u64::from_le_bytes(*last),
        (None, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => tail.iter().fold(ONES * u64::from(b'a'), |word, byte| word << 8 | u64::from(*byte)),
    };
    marked | marks(last) != 0
}

/// One bit for each byte of a block that is `byte`, the first byte's the lowest.
#[inline]
pub(crate) fn mask(block: &[u8; 64], byte: u8) -> u64 {
    let (words, _) = block.as_chunks::<8>();
    words.iter().rev().fold(0, |mask, word| mask << 8 | bits_equal(u64::from_le_bytes(*word), byte))
}

/// Where the first byte stands that `marks` marks; the length when nothing is marked. Eight bytes at a time. `a` is never
/// marked.
#[inline]
pub(crate) fn until(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
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
    // The last eight bytes once more: those that were seen before are not marked.
    if let Some(last) = bytes.last_chunk::<8>() {
        return first(*last).map_or(bytes.len(), |within| bytes.len() - 8 + within);
    }
    let mut padded = [b'a'; 8];
    padded.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    first(padded).unwrap_or(bytes.len())
}

/// How many bytes stand for themselves, up to the first that does not. Eight at a time: one branch for all of them.
pub(crate) fn run(plain: &Plain, bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| plain[usize::from(*byte)];
    let (eights, tail) = bytes.as_chunks::<8>();
    let all = |eight: &&[u8; 8]| eight.iter().fold(true, |all, byte| all & is_plain(byte));
    let skipped = 8 * eights.iter().take_while(all).count();
    // The last eight once more: what was seen before is plain.
    if skipped + tail.len() == bytes.len() && bytes.last_chunk().is_some_and(|last| all(&last)) {
        return bytes.len();
    }
    skipped + bytes[skipped..].iter().take_while(|byte| is_plain(byte)).count()
}

/// Appends `text`: what is plain as it stands, each other byte as `escape` writes it.
pub(crate) fn copy(plain: &Plain, text: &str, out: &mut Vec<u8>, mut escape: impl FnMut(u8, &mut Vec<u8>)) {
    let mut rest = text.as_bytes();
    loop {
        let run = run(plain, rest);
        out.extend_from_slice(&rest[..run]);
        let Some((&byte, after)) = rest[run..].split_first() else { return };
        escape(byte, out);
        rest = after;
    }
}

/// Appends `%` and two hexadecimal digits.
pub(crate) fn percent(byte: u8, out: &mut Vec<u8>) {
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
pub(crate) fn digit(byte: u8) -> Option<u8> {
    Some(DIGITS[usize::from(byte)]).filter(|value| *value < 16)
}

/// The byte that two hexadecimal digits say.
#[inline]
pub(crate) fn byte(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (DIGITS[usize::from(high)], DIGITS[usize::from(low)]);
    (high | low < 16).then_some(high << 4 | low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_marked_byte_is_found_wherever_it_stands() {
        let marks = |word| equal(word, b'%') | below(word, 0x20);
        for length in 0..40 {
            let plain: Vec<u8> =
                (0..length).map(|at| [b'a', 0x80, 0xff, b'~', 0x20, b'$', b'&'][at % 7]).collect();
            assert_eq!(until(&plain, marks), length);
            for at in 0..length {
                for byte in [b'%', 0, 0x1f] {
                    let mut text = plain.clone();
                    text[at] = byte;
                    assert_eq!(until(&text, marks), at);
                    text[length - 1] = b'%';
                    assert_eq!(until(&text, marks), at);
                }
            }
        }
    }

    #[test]
    fn any_sees_one_byte_wherever_it_stands() {
        let bad = |word| equal(word, b'%') | below(word, 0x20);
        for length in 0..200 {
            let plain: Vec<u8> = (0..length).map(|at| [b'a', 0x80, 0xff, b'~', b'$'][at % 5]).collect();
            assert!(!any(&plain, bad));
            for at in 0..length {
                let mut text = plain.clone();
                text[at] = b'\n';
                assert!(any(&text, bad), "{length} {at}");
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
            assert_eq!(digit(value).map(u32::from), char::from(value).to_digit(16));
        }
        assert_eq!((byte(b'f', b'0'), byte(b'A', b'9')), (Some(0xf0), Some(0xa9)));
        assert_eq!((byte(b'g', b'0'), byte(b'0', b'%'), byte(0xff, 0xff)), (None, None, None));
    }
}
