//! SHA1withRSA: known answers made by other programs, on every backend in both directions, and what every backend refuses.

use serde_json::Value;
use wallet_core::crypto::{RsaSigner, RsaVerifier, SigningFailed};
use wallet_crypto::{
    AwsLcSign, AwsLcVerify, BatchSigner, BatchedKey, BatchedPublicKey, KeyError, KeyForm, PrivateKey,
    PublicKey, RsaSign, RsaVerify, sign_all, verify_all,
};

pub(crate) fn vector(name: &str) -> Value {
    let path = format!("{}/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A backend that does everything eight times at once.
struct Eight<K>(K);

impl RsaSigner for Eight<BatchedKey> {
    fn sign_sha1(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let mut signed = sign_all(&[(&self.0, message); 8]);
        assert!(signed.iter().all(|one| *one == signed[0]), "in each lane the same");
        signed.swap_remove(0)
    }
}

impl RsaVerifier for Eight<BatchedPublicKey> {
    fn verify_sha1(&self, message: &[u8], signature: &[u8]) -> bool {
        let valid = verify_all(&[(&self.0, message, signature); 8]);
        assert!(valid.iter().all(|one| *one == valid[0]), "in each lane the same");
        valid[0]
    }
}

pub(crate) fn signers(key: &PrivateKey) -> Vec<(&'static str, Box<dyn RsaSigner>)> {
    vec![
        ("portable", Box::new(RsaSign::new(key).unwrap())),
        ("aws-lc", Box::new(AwsLcSign::new(key).unwrap())),
        ("eight lanes", Box::new(Eight(BatchSigner::new(1).signer(key).unwrap()))),
    ]
}

pub(crate) fn verifiers(key: &PublicKey) -> Vec<(&'static str, Box<dyn RsaVerifier>)> {
    vec![
        ("portable", Box::new(RsaVerify::new(key))),
        ("aws-lc", Box::new(AwsLcVerify::new(key).unwrap())),
        ("eight lanes", Box::new(Eight(BatchedPublicKey::new(key).unwrap()))),
    ]
}

#[test]
fn r44_javas_signatures_byte_for_byte_on_every_backend() {
    for bits in [1024, 2048] {
        let file = vector(&format!("vas-rsa-{bits}.json"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let private = PrivateKey::load(text(&file["private_pkcs8_base64"])).unwrap();
        let public = PublicKey::load(text(&file["public_spki_base64"])).unwrap();
        assert_eq!(private.public(), public);
        assert_eq!((public.bits(), public.is_weak()), (bits, bits == 1024));
        assert_eq!(
            *private.to_base64().expose(),
            text(&file["private_pkcs8_base64"]),
            "written as Java does"
        );
        assert_eq!(public.to_base64(), text(&file["public_spki_base64"]));
        let cases = file["cases"].as_array().unwrap();
        assert!(cases.len() >= 6);
        for case in cases {
            let (message, signature) = (text(&case["canonical"]), text(&case["signature_base64"]));
            for (name, signer) in signers(&private) {
                assert_eq!(base64(&signer.sign_sha1(message.as_bytes()).unwrap()), signature, "{name}");
            }
            for (name, verifier) in verifiers(&public) {
                let signature = signers(&private)[0].1.sign_sha1(message.as_bytes()).unwrap();
                assert!(verifier.verify_sha1(message.as_bytes(), &signature), "{name}");
                assert!(!verifier.verify_sha1(b"another", &signature), "{name}");
            }
        }
    }
}

#[test]
fn wycheproofs_signatures_on_every_backend() {
    for bits in [1024, 2048] {
        let file = vector(&format!("wycheproof/rsa_pkcs1_{bits}_sha1.json"));
        let group = &file["testGroups"][0];
        let public = PublicKey::load(hex(group["keyDer"].as_str().unwrap())).unwrap();
        let private = PrivateKey::load(hex(group["privateKeyPkcs8"].as_str().unwrap())).unwrap();
        let pem = group["privateKeyPem"].as_str().unwrap();
        assert_eq!(PrivateKey::load(pem).unwrap().public(), public);
        assert_eq!(PublicKey::load(group["keyPem"].as_str().unwrap()).unwrap(), public);
        let tests = group["tests"].as_array().unwrap();
        assert!(tests.len() >= 8);
        for test in tests {
            let (message, signature) =
                (hex(test["msg"].as_str().unwrap()), hex(test["sig"].as_str().unwrap()));
            for (name, signer) in signers(&private) {
                assert_eq!(signer.sign_sha1(&message).unwrap(), signature, "{name}");
            }
            for (name, verifier) in verifiers(&public) {
                assert!(verifier.verify_sha1(&message, &signature), "{name}: {}", test["comment"]);
            }
        }
    }
}

/// Signatures that are wrong only inside: made with the private key over a block of our own.
mod forged {
    use rsa::BigUint;
    use rsa::pkcs1::DecodeRsaPrivateKey as _;
    use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
    use wallet_crypto::PrivateKey;

    pub(super) struct Forger {
        key: rsa::RsaPrivateKey,
        pub(super) size: usize,
    }

    impl Forger {
        pub(super) fn new(key: &PrivateKey) -> Self {
            let key = rsa::RsaPrivateKey::from_pkcs1_der(key.pkcs1().expose()).unwrap();
            Self { size: key.size(), key }
        }

        fn fixed(&self, number: &BigUint) -> Vec<u8> {
            let bytes = number.to_bytes_be();
            [vec![0; self.size - bytes.len()], bytes].concat()
        }

        /// The signature whose block is `block`.
        pub(super) fn of(&self, block: &[u8]) -> Vec<u8> {
            assert_eq!(block.len(), self.size);
            self.fixed(&BigUint::from_bytes_be(block).modpow(self.key.d(), self.key.n()))
        }

        /// A number as a signature.
        pub(super) fn number(&self, number: &BigUint) -> Vec<u8> {
            self.fixed(number)
        }

        pub(super) fn modulus(&self) -> &BigUint {
            self.key.n()
        }
    }
}

/// `00 01 ff… 00 info digest`, with so much padding that it fills the block.
fn block(size: usize, kind: u8, fill: u8, info: &[u8], digest: &[u8], after: &[u8]) -> Vec<u8> {
    let tail = [&[0], info, digest, after].concat();
    let mut block = vec![0, kind];
    block.resize(size - tail.len(), fill);
    [block, tail].concat()
}

#[test]
fn malformed_signatures_are_refused_by_every_backend() {
    use rsa::BigUint;
    let file = vector("vas-rsa-2048.json");
    let private = PrivateKey::load(file["private_pkcs8_base64"].as_str().unwrap()).unwrap();
    let forger = forged::Forger::new(&private);
    let message = b"{\"amount\":\"1\"}";
    let digest = {
        use sha1::Digest as _;
        sha1::Sha1::digest(message).to_vec()
    };
    let size = forger.size;
    const INFO: &[u8] =
        &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
    let good = forger.of(&block(size, 1, 0xff, INFO, &digest, &[]));
    for (name, verifier) in verifiers(&private.public()) {
        assert!(verifier.verify_sha1(message, &good), "{name}: what is forged rightly is right");
    }
    let no_null: &[u8] = &[0x30, 0x1f, 0x30, 0x07, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x04, 0x14];
    let long_form: &[u8] =
        &[0x30, 0x81, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
    let indefinite: &[u8] =
        &[0x30, 0x80, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
    let md5: &[u8] = &[
        0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00, 0x04,
        0x10,
    ];
    let sha256: &[u8] = &[
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
        0x04, 0x20,
    ];
    let null_with_content: &[u8] =
        &[0x30, 0x22, 0x30, 0x0a, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x01, 0x00, 0x04, 0x14];
    let one = BigUint::from(1_u8);
    // Padding that ends early, the rest filled behind the digest (Bleichenbacher 2006).
    let short = {
        let mut block = vec![0, 1];
        block.extend([0xff; 8]);
        block.push(0);
        block.extend(INFO);
        block.extend(&digest);
        block.resize(size, 0xaa);
        block
    };
    let seven = {
        let mut block = vec![0, 1];
        block.extend([0xff; 7]);
        block.push(0);
        block.resize(size - INFO.len() - digest.len(), 0);
        [&block[..], INFO, &digest].concat()
    };
    let mut first_not_zero = block(size, 1, 0xff, INFO, &digest, &[]);
    first_not_zero[1] = 2;
    let mut hole = block(size, 1, 0xff, INFO, &digest, &[]);
    hole[20] = 0xfe;
    let mut other_digest = digest.clone();
    other_digest[19] ^= 1;
    let flipped = |at: usize| {
        let mut signature = good.clone();
        signature[at] ^= 1;
        signature
    };
    let malformed: Vec<(&str, Vec<u8>)> = vec![
        ("missing NULL", forger.of(&block(size, 1, 0xff, no_null, &digest, &[]))),
        ("long-form length", forger.of(&block(size, 1, 0xff, long_form, &digest, &[]))),
        ("indefinite length", forger.of(&block(size, 1, 0xff, indefinite, &digest, &[0, 0]))),
        ("NULL with content", forger.of(&block(size, 1, 0xff, null_with_content, &digest, &[]))),
        ("short padding, garbage behind", forger.of(&short)),
        ("seven bytes of padding", forger.of(&seven)),
        ("block type 2", forger.of(&first_not_zero)),
        ("block type 0", forger.of(&block(size, 0, 0, INFO, &digest, &[]))),
        ("padding of another byte", forger.of(&block(size, 1, 0x01, INFO, &digest, &[]))),
        ("a hole in the padding", forger.of(&hole)),
        ("MD5's identifier", forger.of(&block(size, 1, 0xff, md5, &digest[..16], &[]))),
        (
            "SHA-256's identifier",
            forger.of(&block(size, 1, 0xff, sha256, &[&digest[..], &[0; 12]].concat(), &[])),
        ),
        ("no identifier", forger.of(&block(size, 1, 0xff, &[], &digest, &[]))),
        ("a byte behind the digest", forger.of(&block(size, 1, 0xff, INFO, &digest, &[0]))),
        ("another digest", forger.of(&block(size, 1, 0xff, INFO, &other_digest, &[]))),
        ("0", forger.number(&BigUint::from(0_u8))),
        ("1", forger.number(&one)),
        ("n - 1", forger.number(&(forger.modulus() - &one))),
        ("n", forger.number(forger.modulus())),
        ("the block itself", block(size, 1, 0xff, INFO, &digest, &[])),
        ("a byte too short", good[1..].to_vec()),
        ("cut at the end", good[..size - 1].to_vec()),
        ("a zero before it", [&[0][..], &good].concat()),
        ("a zero behind it", [&good[..], &[0]].concat()),
        ("empty", Vec::new()),
        ("one byte", vec![1]),
        ("first bit", flipped(0)),
        ("last bit", flipped(size - 1)),
        ("twice", [&good[..], &good].concat()),
    ];
    assert!(malformed.len() >= 17);
    for (what, signature) in &malformed {
        for (name, verifier) in verifiers(&private.public()) {
            assert!(!verifier.verify_sha1(message, signature), "{name} takes: {what}");
        }
    }
}

/// The backends agree on many messages and sizes: they are each other's oracle.
#[test]
fn backends_agree() {
    for bits in [1024, 2048, 4096] {
        let key = match bits {
            4096 => PrivateKey::load(include_str!("../vectors/rsa-4096.pem")).unwrap(),
            bits => {
                let file = vector(&format!("vas-rsa-{bits}.json"));
                PrivateKey::load(file["private_pkcs8_base64"].as_str().unwrap()).unwrap()
            }
        };
        for length in [0, 1, 55, 56, 63, 64, 65, 1000] {
            let message = vec![b'x'; length];
            let made: Vec<Vec<u8>> =
                signers(&key).iter().map(|(_, signer)| signer.sign_sha1(&message).unwrap()).collect();
            assert_eq!(made[0], made[1], "{bits} bits, {length} bytes");
            assert_eq!(made[0].len() * 8, bits);
            for (name, verifier) in verifiers(&key.public()) {
                assert!(verifier.verify_sha1(&message, &made[0]), "{name}");
            }
        }
    }
}

#[test]
fn keys_are_read_in_every_form_that_is_handed_out() {
    let file = vector("vas-rsa-1024.json");
    let pkcs8 = file["private_pkcs8_base64"].as_str().unwrap();
    let spki = file["public_spki_base64"].as_str().unwrap();
    let key = PrivateKey::load(pkcs8).unwrap();
    let lines = |text: &str, width: usize, end: &str| {
        let chunks: Vec<&str> =
            text.as_bytes().chunks(width).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
        chunks.join(end)
    };
    let pkcs1 = base64(key.pkcs1().expose());
    let pem = |label: &str, text: &str, end: &str| {
        format!("-----BEGIN {label}-----{end}{}{end}-----END {label}-----{end}", lines(text, 64, end))
    };
    let privates = [
        pkcs8.to_owned(),
        lines(pkcs8, 76, "\r\n"), // Java's MIME encoder
        lines(pkcs8, 64, "\n"),
        format!("  {pkcs8}\n"),
        pem("PRIVATE KEY", pkcs8, "\n"),
        pem("PRIVATE KEY", pkcs8, "\r\n"),
        pem("RSA PRIVATE KEY", &pkcs1, "\n"),
        pkcs1.clone(),
        pem("PRIVATE KEY", pkcs8, "\\n"), // from an environment variable
        format!(
            "Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n{}",
            pem("PRIVATE KEY", pkcs8, "\n")
        ),
        pkcs8.trim_end_matches('=').to_owned(),
    ];
    for text in &privates {
        assert_eq!(PrivateKey::load(text).unwrap().pkcs1().expose(), key.pkcs1().expose(), "{text}");
    }
    let publics = [
        spki.to_owned(),
        lines(spki, 76, "\r\n"),
        pem("PUBLIC KEY", spki, "\n"),
        base64(key.public().pkcs1()),
        pem("RSA PUBLIC KEY", &base64(key.public().pkcs1()), "\n"),
    ];
    for text in &publics {
        assert_eq!(PublicKey::load(text).unwrap(), key.public(), "{text}");
    }
    assert_eq!(PrivateKey::load(key.pkcs1().expose()).unwrap().public(), key.public(), "DER");
    assert_eq!(PublicKey::load(key.public().pkcs1()).unwrap(), key.public(), "DER");

    for (text, error) in [
        ("", KeyError::NotAKey),
        ("hello", KeyError::NotAKey),
        (spki, KeyError::IsPublic),
        (&pem("ENCRYPTED PRIVATE KEY", pkcs8, "\n"), KeyError::Encrypted),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
            KeyError::Encrypted,
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIC2pHJYxmH9nKn3ZA6uOaVdT0ZmzC0Vk0kS4TJ0Z1p5B\n-----END PRIVATE KEY-----\n",
            KeyError::NotRsa("Ed25519"),
        ),
    ] {
        assert_eq!(PrivateKey::load(text).unwrap_err(), error, "{text}");
    }
    assert_eq!(PublicKey::load(pkcs8).unwrap_err(), KeyError::IsPrivate);
    // Numbers that do not belong together.
    let mut damaged = key.pkcs1().expose().clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    assert_eq!(PrivateKey::load(&damaged).unwrap_err(), KeyError::Damaged);
    assert_eq!(PrivateKey::generate(512).unwrap_err(), KeyError::Size(512));
    assert_eq!(PrivateKey::load(include_str!("../vectors/rsa-512.pem")).unwrap_err(), KeyError::Size(512));
    assert!(!format!("{key:?}").contains("pkcs1"), "Debug shows nothing of it");
}

/// Files of OpenSSL 3.0 and ssh-keygen, as people give them in the place of a key.
#[test]
fn a_file_that_is_no_key_is_called_what_it_is() {
    use KeyError::*;
    macro_rules! file {
        ($name:literal) => {
            ($name, include_bytes!(concat!("../vectors/keys/", $name)).as_slice())
        };
    }
    for ((name, file), private, public) in [
        (file!("certificate.pem"), Certificate, Certificate),
        (file!("certificate.der"), Certificate, Certificate),
        (file!("request.pem"), Certificate, Certificate),
        (file!("three-primes.pem"), ManyPrimes, IsPrivate),
        (file!("three-primes-pkcs8.pem"), ManyPrimes, IsPrivate),
        (file!("ec-sec1.pem"), NotRsa("EC"), NotRsa("EC")),
        (file!("ec-with-parameters.pem"), NotRsa("EC"), NotRsa("EC")),
        (file!("ec-pkcs8.pem"), NotRsa("EC"), IsPrivate),
        (file!("ec-public.pem"), IsPublic, NotRsa("EC")),
        (file!("ed25519.pem"), NotRsa("Ed25519"), IsPrivate),
        (file!("ed448.pem"), NotRsa("Ed448"), IsPrivate),
        (file!("x25519.pem"), NotRsa("X25519 or X448"), IsPrivate),
        (file!("rsa-pss.pem"), NotRsa("RSASSA-PSS, which makes other signatures"), IsPrivate),
        (file!("dsa-pkcs8.pem"), NotRsa("DSA"), IsPrivate),
        (file!("openssh.pem"), OpenSsh, OpenSsh),
        (file!("openssh.pub"), OpenSsh, OpenSsh),
        (file!("bundle.p12"), Pkcs12, Pkcs12),
    ] {
        assert_eq!(PrivateKey::load(file).unwrap_err(), private, "{name}");
        assert_eq!(PublicKey::load(file).unwrap_err(), public, "{name}");
        // In base64 as well, where no label says what it is.
        if let Some(body) = std::str::from_utf8(file).ok().and_then(|text| text.split("-----").nth(2))
            && !name.contains("parameters")
            && !name.contains("openssh")
        {
            assert_eq!(PrivateKey::load(body).unwrap_err(), private, "the base64 of {name}");
            let by_content =
                if public == NotRsa("EC") && name.contains("sec1") { NotRsa("EC") } else { public };
            assert_eq!(PublicKey::load(body).unwrap_err(), by_content, "the base64 of {name}");
        }
    }
    let bits = |file: &[u8]| PrivateKey::load(file).unwrap().public().bits();
    assert_eq!(bits(file!("certificate-then-key.pem").1), 2048);
    assert_eq!(bits(file!("key-then-certificate.pem").1), 2048);

    // A byte order mark, and the UTF-16 of PowerShell.
    let pem = include_str!("../vectors/rsa-1024.pem");
    let key = PrivateKey::load(pem).unwrap();
    let public = key.public().to_pem(KeyForm::Pkcs8);
    let (bare, bare_public) = (key.to_base64().expose().clone(), key.public().to_base64());
    for (private, public) in [
        (format!("\u{feff}{bare}").into_bytes(), format!("\u{feff}{bare_public}").into_bytes()),
        (format!("\u{feff}{pem}").into_bytes(), format!("\u{feff}{public}").into_bytes()),
        (utf16(pem, u16::to_le_bytes), utf16(&public, u16::to_le_bytes)),
        (utf16(pem, u16::to_be_bytes), utf16(&public, u16::to_be_bytes)),
    ] {
        assert_eq!(PrivateKey::load(private).unwrap().public(), key.public());
        assert_eq!(PublicKey::load(public).unwrap(), key.public());
    }
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
}

#[test]
fn made_keys_sign() {
    let key = PrivateKey::generate(1024).unwrap();
    let again = PrivateKey::load(key.to_base64().expose()).unwrap();
    let signature = signers(&again)[0].1.sign_sha1(b"x").unwrap();
    for (name, verifier) in verifiers(&PublicKey::load(key.public().to_base64()).unwrap()) {
        assert!(verifier.verify_sha1(b"x", &signature), "{name}");
    }
}
