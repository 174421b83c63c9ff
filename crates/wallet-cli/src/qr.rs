//! `wallop qr`: a link as a QR code.

use std::path::{Path, PathBuf};

use wallet_client::QrCode;

use crate::output::{Output, Stop};

pub(crate) const EXAMPLES: &str =
    "Examples:\n  wallop qr 'vaspay://{\"type\":\"pay\",…}'\n  wallop qr --png code.png < link.txt";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The link; without it the first line of stdin.
    link: Option<String>,
    /// Write an SVG picture to this file.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Write a PNG picture to this file.
    #[arg(long)]
    png: Option<PathBuf>,
    /// Print one line of JSON: the text, the modules of a side, and the picture as SVG.
    #[arg(long)]
    json: bool,
}

/// The terminal's width in columns; 0 without a terminal.
pub(crate) fn columns() -> usize {
    terminal_size::terminal_size().map_or(0, |(width, _)| usize::from(width.0))
}

fn write(output: &Output, path: &Path, picture: Vec<u8>) -> Result<(), Stop> {
    let shown = path.display();
    std::fs::write(path, picture).map_err(|error| {
        Stop::environment(output.say(
            &format!("无法写入 {shown}：{error}；请换一个路径"),
            &format!("cannot write {shown}: {error}; choose another path"),
        ))
    })?;
    output.line(&format!("{} {shown}", output.say("已写入", "wrote")))
}

pub(crate) fn run(output: &Output, arguments: Arguments) -> Result<(), Stop> {
    let link = match arguments.link {
        Some(link) => link.trim().to_owned(),
        None => output.first_line(None)?,
    };
    let code = QrCode::new(&link).map_err(|error| Stop::usage(error.to_string()))?;
    if arguments.json {
        let code = serde_json::json!({ "text": link, "modules": code.modules(), "svg": code.to_svg() });
        return output.line(&code.to_string());
    }
    if let Some(path) = &arguments.svg {
        write(output, path, code.to_svg().into_bytes())?;
    }
    if let Some(path) = &arguments.png {
        write(output, path, code.to_png(8))?;
    }
    if arguments.svg.is_some() || arguments.png.is_some() {
        return Ok(());
    }
    // A pipe or a file is as wide as the code.
    let width = Some(columns()).filter(|columns| *columns > 0).unwrap_or(usize::MAX);
    let drawn = code.to_terminal(width).map_err(|narrow| {
        let more =
            output.say("可用 --svg FILE 或 --png FILE 生成图片", "--svg FILE or --png FILE makes a picture");
        Stop::environment(format!("{narrow}; {more}"))
    })?;
    output.line(&drawn)
}
