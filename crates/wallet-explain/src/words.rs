//! The causes in words, with what to do.

use wallet_core::Lang;

use crate::{Cause, Serializer, Spelling};

impl Spelling {
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::UpperCase => {
                ("十六进制用了大写，应为小写", "in upper-case digits: write lower-case hexadecimal")
            }
            Self::Prefixed => ("多了前缀 0x，应去掉", "with the prefix `0x`: remove it"),
            Self::Base64 => {
                ("写成了 base64，应为 40 位小写十六进制", "in base64: write 40 lower-case hexadecimal digits")
            }
            Self::UrlSafe => (
                "用了 URL 安全的 base64（- 与 _），应为标准 base64（+ 与 /）",
                "in the URL-safe base64 alphabet (`-` and `_`): use the standard one (`+` and `/`)",
            ),
            Self::Hex => ("写成了十六进制，应为 base64", "in hexadecimal digits: write base64"),
            Self::NoPadding => ("base64 缺少末尾的 =", "in base64 without its padding `=`: keep the padding"),
            Self::Twice => ("做了两次 base64，一次即可", "in base64 twice: encode it once"),
            Self::PercentEncoded => {
                ("多做了一次百分号编码", "percent-encoded once too often: encode it once")
            }
        }
    }
}

impl Cause {
    /// In words, with what to do.
    pub fn in_words(&self, lang: Lang) -> String {
        let (zh, en) = self.texts();
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    fn texts(&self) -> (String, String) {
        if let Some((zh, en)) = self.fixed() {
            return (zh.to_owned(), en.to_owned());
        }
        match self {
            Self::Spelled(spelling) => {
                let (zh, en) = spelling.texts();
                (format!("签名本身正确，但{zh}。"), format!("The signature is right, but written {en}."))
            }
            Self::OtherHash(hash) => (
                format!("长度与 {hash} 的输出相同；应使用 SHA-1。"),
                format!("It is as long as the output of {hash}: use SHA-1."),
            ),
            Self::Separator(between) => {
                let between = between.escape_debug();
                (
                    format!("client_secret 与 timestamp 之间多了「{between}」；两者直接相连。"),
                    format!(
                        "`{between}` is between client_secret and timestamp, which must follow each other directly."
                    ),
                )
            }
            Self::ClientIdToo(parts) => (
                format!("签名的是 {parts}；client_id 不参与签名。"),
                format!("The signed text is {parts}: leave client_id out."),
            ),
            Self::SecretOf(app) => (
                format!("用了另一个应用（{app}）的 client_secret。"),
                format!("It was made with the client_secret of another app, `{app}`."),
            ),
            Self::OtherTimestamp(at) => (
                format!("它对应另一个 timestamp：{at}；签名与发送须用同一个值，且为 UTC 秒数。"),
                format!(
                    "It was made for another timestamp, {at}: sign and send the same one, in seconds of UTC."
                ),
            ),
            Self::Keyed(name) => (
                format!("用了 {name}；应为普通的 SHA-1：sha1(client_secret + timestamp)。"),
                format!("It is {name}: use plain SHA-1, sha1(client_secret + timestamp)."),
            ),
            Self::RightTextOtherHash(hash) => (
                format!("文本正确，但用了 {hash}；应使用 SHA-1（RSA 为 SHA1withRSA）。"),
                format!("The text is right, but hashed with {hash}: use SHA-1 (for RSA, SHA1withRSA)."),
            ),
            Self::HashedWith(hash) => (
                format!("签名用了 {hash}；应为 SHA1withRSA。请换成 SHA-1 签名，再核对文本是否正确。"),
                format!("It was hashed with {hash}: use SHA1withRSA, then check the text again."),
            ),
            Self::Serializer { serializer: Serializer { name, zh, en, .. }, other_hash } => {
                let (zh_hash, en_hash) = other_hash.map_or(Default::default(), |hash| {
                    (format!("哈希也应由 {hash} 改为 SHA-1。"), format!(" The hash is {hash}: use SHA-1."))
                });
                (
                    // A name that is a description is in the advice.
                    match name.starts_with("a ") || name.starts_with("an ") {
                        true => format!("签名的不是应当签名的文本。{zh}{zh_hash}"),
                        false => format!("签的是 {name} 写出的文本。{zh}{zh_hash}"),
                    },
                    format!("The signed text is the output of {name}. {en}{en_hash}"),
                )
            }
            Self::OtherValue { field, signed: None } => (
                format!("签名的文本里没有 {field}。"),
                format!("The signed text lacks `{field}`: sign every field of the rule."),
            ),
            Self::OtherValue { field, signed: Some(signed) } => (
                format!("签名时 {field} 的值是「{signed}」，与发送的不同；请用同一个文本签名和发送。"),
                format!(
                    "`{field}` was signed as `{signed}`, which is not what was sent: sign and send the same text."
                ),
            ),
            Self::Stale { off, allowed } => {
                let (zh, en) = if *off < 0 { ("早", "behind") } else { ("晚", "ahead of") };
                let off = off.unsigned_abs();
                (
                    format!(
                        "签名正确，但时间戳比对方的时间{zh} {off} 秒，超过允许的 {allowed} 秒：请求已过期，或两边的时钟不一致（请用 NTP 校时）。"
                    ),
                    format!(
                        "The signature is right, but its timestamp is {off} seconds {en} the other side's time, and {allowed} are allowed: an old message, or clocks that differ (use NTP)."
                    ),
                )
            }
            Self::OtherParts(parts) => (
                format!("签名的是 {parts}；应为 webhook-id.webhook-timestamp.请求体。"),
                format!(
                    "The signed text is {parts}; it is webhook-id, a dot, webhook-timestamp, a dot, the body."
                ),
            ),
            _ => Default::default(), // `fixed` has the others
        }
    }

    /// The texts of the causes without a value.
    fn fixed(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Fits => ("签名正确。", "The signature is valid."),
            Self::NoSecret => (
                "没有给出 client_secret。",
                "There is no client_secret to try: give it, on the command line by stdin.",
            ),
            Self::NoSignature => ("没有签名。", "There is no signature."),
            Self::Milliseconds => (
                "timestamp 是毫秒；应为 10 位秒数。",
                "The timestamp is in milliseconds: write seconds, ten digits.",
            ),
            Self::SignedMilliseconds => (
                "签名用的是毫秒，发送的是秒；签名与发送须用同一个 10 位秒数。",
                "The signed timestamp is in milliseconds, the sent one in seconds: sign the ten digits that you send.",
            ),
            Self::NotTenDigits => {
                ("timestamp 须是恰好 10 位数字。", "The timestamp is not ten digits: write Unix seconds.")
            }
            Self::NotHex => {
                ("sign 须是 40 位小写十六进制。", "`sign` is not 40 lower-case hexadecimal digits.")
            }
            Self::Swapped => (
                "顺序反了：应为 sha1(client_secret + timestamp)。",
                "The order is reversed: it is sha1(client_secret + timestamp).",
            ),
            Self::LineEnd => (
                "参与计算的文本末尾多了一个换行或空格（例如 echo 而非 printf，或从文件读出的密钥末尾）。",
                "A line end or a space was hashed too: `echo` appends one, `printf %s` does not, and a secret from a file may end in one.",
            ),
            Self::Quoted => (
                "密钥两边的引号也参与了计算（例如来自 .env 文件）。",
                "The quotes around the secret were hashed too: remove them, for example in an .env file.",
            ),
            Self::OnlySecret => (
                "只对 client_secret 做了哈希，缺少 timestamp。",
                "Only client_secret was hashed: append the timestamp.",
            ),
            Self::OnlyTimestamp => (
                "只对 timestamp 做了哈希：client_secret 多半是空的，请检查配置或环境变量。",
                "Only the timestamp was hashed: client_secret is most likely empty, check the setting or the environment variable.",
            ),
            Self::NamedParts => (
                "参数名也参与了签名；只把两个值直接相连。",
                "The names of the parts were hashed too: hash the two values, one directly after the other.",
            ),
            Self::UpperCaseSecret => {
                ("client_secret 被转成了大写。", "client_secret was hashed in upper case: use it as it is.")
            }
            Self::HashOfHash => (
                "对哈希值又做了一次哈希；签名函数自己会做哈希，请直接传入文本。",
                "The hash was hashed once more: a signing function hashes by itself, so give it the text.",
            ),
            Self::HashedSecret => (
                "client_secret 先做了一次哈希；请直接使用。",
                "client_secret was hashed first: use it as it is.",
            ),
            Self::OtherSecret => (
                "与常见错误都不符，多半是另一个 client_secret：长度和格式都对，只有密钥无法核对。请在应用页面查看，并确认没有更换过。",
                "No known mistake matches, and length and format are right: most likely another client_secret. Compare it with the one on the app's page, and check whether it was rotated.",
            ),
            Self::NotBase64 => ("签名不是 base64。", "The signature is not base64."),
            Self::WrongLength => (
                "签名长度与密钥不符，多半是另一个密钥，或被截断（例如 + 之后的部分丢失）。",
                "It is not as long as this key's signatures are: most likely another key, or cut off.",
            ),
            Self::OtherKey => (
                "用另一个私钥签的：请核对应用的 rsaPrivate。",
                "It was made with another private key: compare with the app's rsaPrivate.",
            ),
            Self::Pss => (
                "多半是 RSA-PSS 签名：没有 PKCS#1 v1.5 的填充，末字节为 0xbc。应为 SHA1withRSA（PKCS#1 v1.5）。",
                "Most likely RSA-PSS: there is no PKCS#1 v1.5 padding, and the last byte is 0xbc. Use SHA1withRSA (PKCS#1 v1.5).",
            ),
            Self::BareDigest => (
                "只加密了哈希值，缺少 DigestInfo；应使用 SHA1withRSA 签名函数，而不是用私钥加密。",
                "A bare digest was encrypted with the private key, without its DigestInfo: use a function that signs with SHA1withRSA.",
            ),
            Self::NotHashed => (
                "直接用私钥加密了文本，没有哈希；应使用 SHA1withRSA 签名函数。",
                "The text itself was encrypted with the private key, without a hash: use a function that signs with SHA1withRSA.",
            ),
            Self::OtherText => (
                "密钥与哈希算法都正确，但签名的是另一段文本，多半是某个字段的值在签名之后改变了：差异不在常见的写法和顺序上。请逐个核对字段的值。",
                "The key and the hash are right; the text is another. Most likely a value was changed after signing, since no usual spelling or order fits: compare the fields' values one by one.",
            ),
            Self::KeyNotDerived => (
                "直接把 client_secret 当作密钥；密钥应由它派生：使用应用页面的回调密钥（whsec_…）。",
                "client_secret itself was taken as the key: use the callback secret of the app's page (`whsec_…`), which is derived from it.",
            ),
            Self::KeyNotDecoded => (
                "把 whsec_… 的文本当作密钥；应取 whsec_ 之后的部分并做 base64 解码。",
                "The text of `whsec_…` was taken as the key: decode the part after `whsec_` from base64.",
            ),
            Self::KeyInHex => {
                ("密钥用了十六进制文本；应为字节。", "The key was used in hexadecimal digits: use its bytes.")
            }
            Self::OtherBody => (
                "请求体在验签之前被改写（例如经框架解析、重新排序或转成 JSON）；请对收到的原始字节验签。",
                "The body was changed before it was hashed, as a framework does that parses it: verify the bytes as they arrived.",
            ),
            Self::NoVersion => (
                "算出的签名正确，但与请求头比较时缺少前缀 v1,。",
                "The computed signature is right; compare it with the header's after `v1,`.",
            ),
            Self::HeaderForged => (
                "程序算出的签名正确；请求头里的签名与它不同，回调是伪造的，或请求体被改过。",
                "The program computes the right signature. The header has another one: the callback is forged, or its body was changed.",
            ),
            Self::RequestSign => (
                "算的是请求的 sign；回调用请求头 webhook-signature 签名。",
                "This is the `sign` of requests: a callback is signed by the header webhook-signature.",
            ),
            Self::OtherWebhookKey => (
                "与常见错误都不符，多半是另一个 client_secret，或回调是伪造的：格式正确，但没有任何已知的文本与它相符。",
                "No known mistake matches, and the format is right: most likely another client_secret, or a forged callback.",
            ),
            _ => return None,
        })
    }
}
