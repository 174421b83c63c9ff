//! What is derived from the spec: a reference in both languages, OpenAPI 3.1, a Postman collection, and the marks in
//! the guides.

use wallet_api::fomo::Fomo;
use wallet_api::vas::Vas;
use wallet_core::{Lang, Platform};
use xtask::postman::postman;
use xtask::reference::{openapi, reference};

use crate::guides::marked;
use crate::{Outcome, root};

pub(crate) fn run(check: bool) -> Outcome {
    let mut stale = Vec::new();
    let mut files = Vec::new();
    for meta in [Fomo::META, Vas::META] {
        let openapi = serde_json::to_string_pretty(&openapi(meta)).map_err(|error| error.to_string())?;
        files.push((format!("docs/reference/{}.zh.md", meta.id), reference(meta, Lang::Zh)));
        files.push((format!("docs/reference/{}.en.md", meta.id), reference(meta, Lang::En)));
        files.push((format!("docs/openapi/{}.json", meta.id), openapi + "\n"));
        let postman = serde_json::to_string_pretty(&postman(meta)).map_err(|error| error.to_string())?;
        files.push((format!("docs/postman/{}.json", meta.id), postman + "\n"));
    }
    for guide in ["fomo", "vas", "callbacks", "go-live", "test-values", "sandbox", "embed"] {
        for (lang, tag) in [(Lang::Zh, "zh"), (Lang::En, "en")] {
            let path = format!("docs/guides/{guide}.{tag}.md");
            let text = std::fs::read_to_string(root().join(&path));
            let text = text.map_err(|error| format!("cannot read {path}: {error}"))?;
            files.push((path, marked(&text, lang)));
        }
    }
    for (path, text) in files {
        let file = root().join(&path);
        if std::fs::read_to_string(&file).is_ok_and(|known| known == text) {
            continue;
        }
        if check {
            stale.push(path);
            continue;
        }
        let written =
            file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, text));
        written.map_err(|error| format!("cannot write {path}: {error}"))?;
        println!("wrote {path}");
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("stale: {}. Run `cargo xtask codegen` and commit what it writes", stale.join(", ")))
}
