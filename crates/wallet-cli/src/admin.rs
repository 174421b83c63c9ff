//! `wallop admin`: operators.

use std::path::PathBuf;

use clap::Subcommand;
use wallet_sandbox::clock_of;
use wallet_server::{DataDirectory, add_operator};

use crate::output::{Output, Stop};
use crate::serve;

pub(crate) const EXAMPLES: &str = "Examples:\n  wallop admin add carol --config /etc/wallop.toml\n  wallop admin add carol --data ./sandbox";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make NAME an operator; create the user if necessary, and print the new password once.
    Add {
        /// The login name.
        name: String,
        /// The data directory of a sandbox; stop the sandbox first.
        #[arg(long, required_unless_present = "config", conflicts_with = "config")]
        data: Option<PathBuf>,
        #[command(flatten)]
        from: serve::From,
        /// Print one line of JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(output: &Output, command: Command) -> Result<(), Stop> {
    let Command::Add { name, data, from, json } = command;
    let environment = |error: &dyn std::fmt::Display| Stop::environment(error.to_string());
    let store = match data {
        Some(data) => {
            DataDirectory::new(&data).open_existing(clock_of(&data)).map_err(|error| environment(&error))?
        }
        None => serve::open(output, &serve::valid(output, &from)?)?,
    };
    let pwd = add_operator(&store, &name).await.map_err(|error| environment(&error))?;
    let pwd = pwd.as_ref().map(|pwd| pwd.expose().as_str());
    if json {
        return output.line(&serde_json::json!({ "login_name": name, "pwd": pwd }).to_string());
    }
    output.line(&match pwd {
        Some(pwd) => format!(
            "{name} {} {pwd}",
            output.say("已成为运营人员，密码：", "is an operator, with the password")
        ),
        None => format!(
            "{name} {}",
            output.say("已成为运营人员；密码不变", "is an operator; the password is unchanged")
        ),
    })
}
