//! Runs of bytes that may be copied as they stand.

/// For each byte whether it stands for itself.
pub(crate) type Plain = [bool; 256];

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

/// The value of a hexadecimal digit.
pub(crate) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
