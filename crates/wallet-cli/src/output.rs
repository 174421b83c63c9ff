//! What every command shares: output in a language, exit codes, input from files and stdin.

use std::io::Write as _;
use std::path::Path;

use wallet_core::Lang;

/// Why a command ends without success.
#[derive(Debug)]
pub(crate) struct Stop {
    /// The exit code.
    pub(crate) code: u8,
    /// What failed, why, and the next step; empty if stdout already has the text.
    pub(crate) words: String,
}

impl Stop {
    /// Exit code 1: the check failed: a signature does not match, or a demo's value differs.
    pub(crate) fn finding(words: impl Into<String>) -> Self {
        Self { code: 1, words: words.into() }
    }

    /// Exit code 2: the arguments or the input are not what the command takes.
    pub(crate) fn usage(words: impl Into<String>) -> Self {
        Self { code: 2, words: words.into() }
    }

    /// Exit code 3: a file, a port or the network.
    pub(crate) fn environment(words: impl Into<String>) -> Self {
        Self { code: 3, words: words.into() }
    }
}

/// The output in a language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) lang: Lang,
}

impl Output {
    /// The text in the output's language.
    pub(crate) fn say<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    /// Writes a line to stdout. A reader that has gone away ends the program quietly.
    pub(crate) fn line(&self, text: &str) -> Result<(), Stop> {
        let mut stdout = std::io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                Err(Stop { code: 0, words: String::new() })
            }
            Err(error) => Err(Stop::environment(format!("cannot write to stdout: {error}"))),
        }
    }

    /// The bytes of a file.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>, Stop> {
        std::fs::read(path).map_err(|error| {
            let path = path.display();
            Stop::environment(self.say(
                &format!("无法读取 {path}：{error}；请检查路径和权限"),
                &format!("cannot read {path}: {error}; check the path and its permissions"),
            ))
        })
    }

    /// The first line of a file, or of stdin without one.
    pub(crate) fn first_line(&self, path: Option<&Path>) -> Result<String, Stop> {
        let line = match path {
            Some(path) => {
                let text = String::from_utf8(self.read(path)?).map_err(|_| {
                    Stop::usage(self.say("文件不是 UTF-8 文本", "the file is not text in UTF-8"))
                })?;
                text.lines().next().unwrap_or_default().to_owned()
            }
            None => {
                let line = std::io::stdin().lines().next().transpose();
                let line = line.map_err(|error| Stop::environment(format!("cannot read stdin: {error}")))?;
                line.unwrap_or_default()
            }
        };
        Ok(line.trim().to_owned())
    }
}
