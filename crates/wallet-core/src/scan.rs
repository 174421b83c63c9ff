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

/// Copies `text` to the beginning of `out`, which is longer by eight bytes at least, and says whether `marks` marks none of
/// it; otherwise `out` holds the beginning of it. Eight bytes at a time.
#[inline(always)]
pub(crate) fn put(text: &[u8], out: &mut [u8], marks: impl Fn(u64) -> u64) -> bool {
    let (words, tail) = text.as_chunks::<8>();
    let (slots, _) = out.as_chunks_mut::<8>();
    for (word, slot) in words.iter().zip(slots) {
        *slot = *word;
        // Leaving here keeps the copying and the looking in one loop.
        if marks(u64::from_le_bytes(*word)) != 0 {
            return false;
        }
    }
    if tail.is_empty() {
        return true;
    }
    let end = text.len();
    if let Some(last) = text.last_chunk::<8>() {
        out[end - 8..end].copy_from_slice(last);
        return marks(u64::from_le_bytes(*last)) == 0;
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        out[..4].copy_from_slice(first);
        out[end - 4..end].copy_from_slice(last);
        let word = u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
        return marks(word) == 0;
    }
    let mut word = ONES * u64::from(b'a');
    for (from, to) in text.iter().zip(out) {
        *to = *from;
        word = word << 8 | u64::from(*from);
    }
    marks(word) == 0
}

/// Where the first byte stands that `marks` marks; the length when there is none. Eight bytes at a time. `a` is never
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
    let (eights, _) = bytes.as_chunks::<8>();
    let all = |eight: &&[u8; 8]| eight.iter().fold(true, |all, byte| all & is_plain(byte));
    let skipped = 8 * eights.iter().take_while(all).count();
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

/// The value of each hexadecimal digit; 255 for what is none.
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
    fn what_is_put_is_there_and_what_is_marked_is_seen() {
        let marks = |word| equal(word, b'%') | below(word, 0x20);
        for length in 0..40 {
            let plain: Vec<u8> = (0..length).map(|at| b'a' + at as u8 % 26).collect();
            let mut out = vec![0; length + 8];
            assert!(put(&plain, &mut out, marks));
            assert_eq!(out[..length], plain);
            for at in 0..length {
                for byte in [b'%', 0, 0x1f, b'~'] {
                    let mut text = plain.clone();
                    text[at] = byte;
                    assert_eq!(put(&text, &mut out, marks), byte == b'~', "{length} {at}");
                    assert!(byte != b'~' || out[..length] == text);
                }
            }
        }
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
