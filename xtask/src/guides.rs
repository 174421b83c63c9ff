//! Marks in the guides: what this server has and the platform's document does not is marked where a guide links to it.

use wallet_api::fomo::Fomo;
use wallet_api::vas::Vas;
use wallet_core::{Basis, Lang, Platform};

/// The mark of a fact that the platform's document does not have; `None` for a documented one.
fn mark(basis: Basis, lang: Lang) -> Option<&'static str> {
    match (basis, lang) {
        (Basis::Documented, _) => None,
        (Basis::Ours, Lang::Zh) => Some("（*本服务端特有*）"),
        (Basis::Ours, Lang::En) => Some(" (*this server*)"),
        (Basis::Public, Lang::Zh) => Some("（*其他公开文档*）"),
        (Basis::Public, Lang::En) => Some(" (*other public documents*)"),
    }
}

/// The guide with a mark after each link to an endpoint, by the endpoint's basis. Marks that are there already are made
/// again, so that a changed basis changes them.
pub(crate) fn marked(guide: &str, lang: Lang) -> String {
    let tag = if lang == Lang::Zh { "zh" } else { "en" };
    let bases = [Basis::Ours, Basis::Public, Basis::Documented];
    let mut text = guide.to_owned();
    for meta in [Fomo::META, Vas::META] {
        for endpoint in meta.endpoints {
            let link = format!("](../reference/{}.{tag}.md#{})", meta.id, endpoint.id);
            for known in bases.iter().filter_map(|basis| mark(*basis, lang)) {
                text = text.replace(&format!("{link}{known}"), &link);
            }
            if let Some(mark) = mark(endpoint.origin.basis, lang) {
                text = text.replace(&link, &format!("{link}{mark}"));
            }
        }
    }
    text
}
