//! Forms of pages: their fields, the CSRF check, and their faults.

use axum::extract::{FromRequest, Request};
use axum::response::Response;
use http::header::{CONTENT_TYPE, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use wallet_core::crypto::equal;
use wallet_core::{form, multipart};

use super::{View, problem};
use crate::body;

/// A submitted form with the visitor's CSRF token and this server's origin.
pub struct SubmittedForm(Vec<(String, String)>);

impl std::fmt::Debug for SubmittedForm {
    /// Prints only the field names: a field may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl SubmittedForm {
    /// The text of a field; empty if the field is missing.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, text)| text)
    }
}

/// The largest form, in bytes.
const FORM_BYTES: usize = 64 * 1024;

fn came_from_elsewhere(headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = header("host").map(|host| [format!("http://{host}"), format!("https://{host}")]);
    let origin = headers.get(ORIGIN).and_then(|value| value.to_str().ok());
    let other = origin.is_some_and(|origin| own.is_none_or(|own| !own.iter().any(|own| own == origin)));
    other || header("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

fn unreadable(view: &View) -> Response {
    problem(
        view,
        StatusCode::BAD_REQUEST,
        view.say("无法读取表单", "The form cannot be read"),
        view.say("它不完整、过大，或不是表单。", "It is incomplete, too large, or not a form."),
        view.say("返回页面再提交一次。", "Go back to the page and send it again."),
    )
}

/// The view and the body of a form's request.
async fn opened(request: Request, limit: usize) -> Result<(Parts, View, Vec<u8>), Response> {
    let (parts, body) = request.into_parts();
    let Some(view) = parts.extensions.get::<View>().cloned() else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(response);
    };
    match body::read(body, limit).await {
        Ok(bytes) => Ok((parts, view, bytes.to_vec())),
        Err(_) => Err(unreadable(&view)),
    }
}

impl SubmittedForm {
    /// The problem page, if the form has no valid CSRF token or comes from another origin.
    fn refused(&self, view: &View, headers: &HeaderMap) -> Option<Response> {
        let token = equal(self.text("csrf").as_bytes(), view.csrf.as_bytes());
        if token && !came_from_elsewhere(headers) {
            return None;
        }
        Some(problem(
            view,
            StatusCode::FORBIDDEN,
            view.say("表单已过期", "This form is out of date"),
            view.say(
                "它不是由当前的页面和登录状态发出的，没有执行任何操作。",
                "It belongs to another page or to an earlier sign-in. Nothing was done.",
            ),
            view.say("重新打开页面再提交。", "Open the page again and send it from there."),
        ))
    }
}

impl<S: Send + Sync> FromRequest<S> for SubmittedForm {
    type Rejection = Response;
    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let (parts, view, bytes) = opened(request, FORM_BYTES).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| unreadable(&view))?;
        let decode = |text: &str| form::decode(text.as_bytes()).map(|text| text.into_owned());
        let pairs =
            form::pairs(text).map(form::split).map(|(name, value)| Ok((decode(name)?, decode(value)?)));
        let posted: Result<Vec<_>, form::FormError> = pairs.collect();
        let posted = Self(posted.map_err(|_| unreadable(&view))?);
        if posted.0.iter().any(|(_, value)| value.contains('\0')) {
            return Err(unreadable(&view)); // no field has it, and PostgreSQL stores no text with it
        }
        posted.refused(&view, &parts.headers).map_or(Ok(posted), Err)
    }
}

/// The largest form with a file, in bytes.
const FILE_BYTES: usize = 4 * 1024 * 1024;

/// A submitted form with a file in its field `file`.
#[derive(Debug)]
pub struct SubmittedFile {
    /// The form's other fields.
    pub form: SubmittedForm,
    /// The file's bytes; empty without a file.
    pub file: Vec<u8>,
}

impl<S: Send + Sync> FromRequest<S> for SubmittedFile {
    type Rejection = Response;
    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let (parts, view, bytes) = opened(request, FILE_BYTES).await?;
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let (mut fields, mut file) = (Vec::new(), Vec::new());
        let read = multipart::boundary(kind).and_then(|boundary| {
            multipart::parts(&bytes, &boundary, |name, content| {
                if name == "file" {
                    file = content.to_vec();
                    return Ok::<(), ()>(());
                }
                let text = std::str::from_utf8(content).map_err(|_| ())?;
                fields.push((name.into_owned(), text.to_owned()));
                Ok(())
            })
        });
        if read != Some(Ok(())) {
            return Err(unreadable(&view));
        }
        if fields.iter().any(|(_, value): &(String, String)| value.contains('\0')) {
            return Err(unreadable(&view));
        }
        let form = SubmittedForm(fields);
        form.refused(&view, &parts.headers).map_or(Ok(Self { form, file }), Err)
    }
}
