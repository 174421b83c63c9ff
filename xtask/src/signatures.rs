//! Types of other libraries in public signatures: an embedder would have to name, and update with, a library that is an
//! implementation detail.

use std::collections::BTreeMap;
use std::path::Path;

use syn::visit::{self, Visit};

use crate::Outcome;

/// Libraries that every crate may name.
const EVERYWHERE: &[&str] = &["std", "core", "alloc", "http", "serde", "bytes"];
/// What an adapter crate adapts.
const ADAPTED: &[(&str, &[&str])] = &[
    ("wallet-chain", &["serde_json"]), // a node speaks JSON
    ("wallet-hyper", &["hyper", "hyper_util", "hyper_rustls"]),
    ("wallet-server", &["axum", "tokio"]),
    ("wallet-sandbox", &["axum", "tokio"]),
];

/// The public signatures of one file.
struct Signatures<'a> {
    /// A name that the file imports, and the crate that it is of.
    imports: BTreeMap<String, String>,
    /// The libraries that the crate depends on.
    libraries: &'a [String],
    allowed: Vec<&'a str>,
    found: Vec<(usize, String)>,
    /// Whether what is visited is public.
    public: bool,
}

fn import(tree: &syn::UseTree, of: Option<&str>, imports: &mut BTreeMap<String, String>) {
    match tree {
        syn::UseTree::Path(path) => {
            let name = path.ident.to_string();
            import(&path.tree, of.or(Some(&name)), imports);
        }
        syn::UseTree::Name(name) => {
            let name = name.ident.to_string();
            let of = of.unwrap_or(&name).to_owned();
            imports.insert(name, of);
        }
        syn::UseTree::Rename(rename) => {
            imports.insert(rename.rename.to_string(), of.unwrap_or_default().to_owned());
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| import(tree, of, imports)),
        _ => {}
    }
}

impl Signatures<'_> {
    /// Takes note of a library that must not be named.
    fn judge(&mut self, of: String, at: proc_macro2::Span) {
        let own = self.imports.get(&of).is_some_and(|of| of == "self");
        if !own && self.libraries.contains(&of) && !self.allowed.contains(&of.as_str()) {
            self.found.push((at.start().line, of));
        }
    }

    fn when(&mut self, visibility: &syn::Visibility, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.public, matches!(visibility, syn::Visibility::Public(_)));
        visit(self);
        self.public = before;
    }
}

impl<'ast> Visit<'ast> for Signatures<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if self.public
            && let Some(first) = path.segments.first()
        {
            let name = first.ident.to_string();
            let of = self.imports.get(&name).unwrap_or(&name).clone();
            self.judge(of, first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_block(&mut self, _: &'ast syn::Block) {}
    fn visit_expr(&mut self, _: &'ast syn::Expr) {}

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let test = item.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        if !test {
            visit::visit_item_mod(self, item);
        }
    }
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if let (syn::Visibility::Public(_), syn::UseTree::Path(path)) = (&item.vis, &item.tree) {
            self.judge(path.ident.to_string(), path.ident.span());
        }
    }
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.when(&item.vis, |this| visit::visit_signature(this, &item.sig));
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.when(&item.vis, |this| visit::visit_signature(this, &item.sig));
    }
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.when(&item.vis, |this| {
            this.visit_generics(&item.generics);
            let public = this.public;
            for field in &item.fields {
                this.public = public && matches!(field.vis, syn::Visibility::Public(_));
                this.visit_type(&field.ty);
            }
            this.public = public;
        });
    }
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.when(&item.vis, |this| visit::visit_item_enum(this, item));
    }
    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.when(&item.vis, |this| visit::visit_item_trait(this, item));
    }
    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.when(&item.vis, |this| visit::visit_item_type(this, item));
    }
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.when(&item.vis, |this| this.visit_type(&item.ty));
    }
    fn visit_item_macro(&mut self, _: &'ast syn::ItemMacro) {}
}

/// Finds fault with the public signatures of a file of a crate, which depends on `libraries`.
pub(crate) fn check(
    krate: &str,
    libraries: &[String],
    path: &Path,
    text: &str,
    faults: &mut Vec<String>,
) -> Outcome {
    let file = syn::parse_file(text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut imports = BTreeMap::new();
    for item in &file.items {
        match item {
            syn::Item::Use(item) => import(&item.tree, None, &mut imports),
            // A module of its own hides a library of the same name.
            syn::Item::Mod(item) => drop(imports.insert(item.ident.to_string(), "self".to_owned())),
            _ => {}
        }
    }
    let adapted = ADAPTED.iter().filter(|(name, _)| *name == krate).flat_map(|(_, adapted)| *adapted);
    let allowed = EVERYWHERE.iter().chain(adapted).copied().collect();
    let mut signatures = Signatures { imports, libraries, allowed, found: Vec::new(), public: false };
    signatures.visit_file(&file);
    for (line, library) in signatures.found {
        faults.push(format!("{}:{line}: a type of {library} in a public signature", path.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_in_what_is_public_and_only_there() {
        let text = "use rusqlite::{Connection, Error as SqlError};\n\
                    pub fn one(_: &Connection) {}\n\
                    fn two(_: &Connection) {}\n\
                    pub struct Three { pub a: u8, b: Connection }\n\
                    pub enum Four { A(SqlError) }\n\
                    pub fn five() -> http::StatusCode { let _: Connection; todo!() }\n\
                    impl Three { pub fn six(&self) -> Option<rusqlite::Row<'_>> { None } }\n\
                    pub use rusqlite::Row;\n";
        let mut faults = Vec::new();
        check("wallet-store", &["rusqlite".into(), "http".into()], Path::new("x.rs"), text, &mut faults)
            .unwrap();
        let lines: Vec<_> = faults.iter().map(|fault| fault.split(':').nth(1).unwrap()).collect();
        assert_eq!(lines, ["2", "5", "7", "8"], "{faults:?}");
    }
}
