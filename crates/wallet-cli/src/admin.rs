//! `wallop admin`: what an operator does on the machine itself, in a running server through its socket, or on a database.

use std::path::PathBuf;

use clap::Subcommand;
use wallet_sandbox::clock_of;
use wallet_server::DataDirectory;
use wallet_server::administration::{Done, Task, administer};

use crate::output::{Output, Stop};
use crate::serve;
use crate::socket;

pub(crate) const EXAMPLES: &str = "Examples:\n  \
    wallop admin operator add carol --role review --role support --config /etc/wallop.toml\n  \
    wallop admin find 100042 --config /etc/wallop.toml --json\n  \
    wallop admin app suspend demo_app --reason \"stolen secret\" --data ./sandbox";

/// Where the platform is, and how the result is printed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The configuration of the server, a TOML file.
    #[arg(long, global = true, conflicts_with = "data")]
    config: Option<PathBuf>,
    /// One setting of the configuration, such as `database.url=sqlite:wallop.db`.
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// The data directory of a sandbox; stop the sandbox first.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// Print one line of JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Operators, who review applications and see failures at /admin.
    Operator {
        #[command(subcommand)]
        command: OperatorCommand,
    },
    /// Apps of both platforms.
    App {
        #[command(subcommand)]
        command: AppCommand,
    },
    /// Users.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Show what has an id: a user, app, payment, order or callback.
    Find {
        /// A login name, user_id, client_id, appId, transfer_id, trade_id, orderId, txid, or the number of a callback.
        id: String,
    },
    /// Coins.
    Coin {
        #[command(subcommand)]
        command: CoinCommand,
    },
    /// Credit a user with money that was received outside the platform.
    Deposit {
        /// The login name or the user_id.
        user: String,
        /// The coin's id.
        coin: u64,
        /// The amount, a decimal number.
        amount: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// Callbacks that fail.
    Callbacks {
        #[command(subcommand)]
        command: CallbacksCommand,
    },
    /// Print the last acts of operators: who, what, why, before and after.
    Audit {
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
}

#[derive(Subcommand)]
enum OperatorCommand {
    /// Make NAME an operator; create the user if necessary, and print the new password once.
    Add {
        /// The login name.
        name: String,
        /// A role: review, support or money. Without any, every role.
        #[arg(long)]
        role: Vec<String>,
    },
    /// List the operators.
    List,
    /// Make an operator a user like any other, and end the sessions.
    Remove {
        /// The login name.
        name: String,
    },
    /// Print a new password once, and end the sessions.
    ResetPassword {
        /// The login name.
        name: String,
    },
    /// Remove a second factor that is lost.
    ResetSecondFactor {
        /// The login name.
        name: String,
    },
}

#[derive(Subcommand)]
enum AppCommand {
    /// List the apps.
    List,
    /// Show an app.
    Show {
        /// Its client_id, appId or row number.
        id: String,
    },
    /// Refuse each of its calls from now on.
    Suspend {
        /// Its client_id, appId or row number.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// Lift a suspension.
    Resume {
        /// Its client_id, appId or row number.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// Approve an application of the VAS and Lafi wallets.
    Approve {
        /// Its row number, as `app list` prints it.
        id: String,
        /// Why, for the record.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Turn an application down; the applicant reads the reason.
    Reject {
        /// Its row number, as `app list` prints it.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// Find users by a login name or user_id.
    Find {
        /// The login name or the user_id.
        id: String,
    },
    /// Show a user.
    Show {
        /// The login name or the user_id.
        id: String,
    },
    /// Refuse sign-in, and payments from and to the user.
    Freeze {
        /// The login name or the user_id.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// Lift a freeze.
    Unfreeze {
        /// The login name or the user_id.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// End every session.
    EndSessions {
        /// The login name or the user_id.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Subcommand)]
enum CoinCommand {
    /// Add a coin, or change its name and whether it can be used. Its decimals never change.
    Put {
        /// Its id on the wire.
        id: u64,
        /// Its name.
        name: String,
        /// Digits behind the point.
        #[arg(long)]
        decimals: u8,
        /// Refuse payments in it.
        #[arg(long)]
        inactive: bool,
    },
    /// List the coins that can be used.
    List,
}

#[derive(Subcommand)]
enum CallbacksCommand {
    /// List the callbacks that fail, and those that were given up.
    Failing,
    /// Send a callback again that was given up.
    Resend {
        /// Its number.
        delivery: u64,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// Send every callback of an app again that was given up.
    ResendAll {
        /// The app's client_id or uuid.
        app: String,
        /// Only of payments since this minute, such as 2026-01-31T13:45, UTC.
        #[arg(long, default_value = "")]
        from: String,
        /// Only of payments until this minute.
        #[arg(long, default_value = "")]
        to: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
}

fn task(command: Command) -> Task {
    let find =
        |id, kinds: &[&str]| Task::Find { id, kinds: kinds.iter().map(|&kind| kind.to_owned()).collect() };
    match command {
        Command::Operator { command } => match command {
            OperatorCommand::Add { name, role } => Task::OperatorAdd { name, roles: role },
            OperatorCommand::List => Task::OperatorList,
            OperatorCommand::Remove { name } => Task::OperatorRemove { name },
            OperatorCommand::ResetPassword { name } => Task::OperatorResetPassword { name },
            OperatorCommand::ResetSecondFactor { name } => Task::OperatorResetSecondFactor { name },
        },
        Command::App { command } => match command {
            AppCommand::List => Task::AppList,
            AppCommand::Show { id } => find(id, &["app", "vas_app"]),
            AppCommand::Suspend { id, reason } => Task::AppSuspend { id, suspended: true, reason },
            AppCommand::Resume { id, reason } => Task::AppSuspend { id, suspended: false, reason },
            AppCommand::Approve { id, reason } => Task::AppDecide { id, approve: true, reason },
            AppCommand::Reject { id, reason } => Task::AppDecide { id, approve: false, reason },
        },
        Command::User { command } => match command {
            UserCommand::Find { id } | UserCommand::Show { id } => find(id, &["user"]),
            UserCommand::Freeze { id, reason } => Task::UserFreeze { id, frozen: true, reason },
            UserCommand::Unfreeze { id, reason } => Task::UserFreeze { id, frozen: false, reason },
            UserCommand::EndSessions { id, reason } => Task::UserEndSessions { id, reason },
        },
        Command::Find { id } => find(id, &[]),
        Command::Coin { command } => match command {
            CoinCommand::Put { id, name, decimals, inactive } => {
                Task::CoinPut { id, name, decimals, active: !inactive }
            }
            CoinCommand::List => Task::CoinList,
        },
        Command::Deposit { user, coin, amount, reason } => Task::Deposit { user, coin, amount, reason },
        Command::Callbacks { command } => match command {
            CallbacksCommand::Failing => Task::CallbacksFailing,
            CallbacksCommand::Resend { delivery, reason } => Task::CallbacksResend { delivery, reason },
            CallbacksCommand::ResendAll { app, from, to, reason } => {
                Task::CallbacksResendAll { app, from, to, reason }
            }
        },
        Command::Audit { limit } => Task::Audit { limit },
    }
}

pub(crate) async fn run(output: &Output, arguments: Arguments) -> Result<(), Stop> {
    let Arguments { command, config, set, data, json } = arguments;
    let task = task(command);
    let done = match data {
        Some(data) => {
            let opened = DataDirectory::new(&data).open_existing(clock_of(&data));
            let store = opened.map_err(|error| Stop::environment(error.to_string()))?;
            administer(&store, task, output.lang).await
        }
        None => {
            let config = serve::valid(output, &serve::From { config, set })?;
            match socket::ask(&config, output.lang, &task).await {
                Some(done) => done?,
                None => administer(&serve::open(output, &config)?, task, output.lang).await,
            }
        }
    };
    let Done { text, json: value } = done.map_err(Stop::finding)?;
    output.line(if json { &value } else { &text })
}
