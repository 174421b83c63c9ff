//! `wallop dev`: the sandbox.

use std::path::{Path, PathBuf};

use wallet_core::Lang;
use wallet_sandbox::{Described, Sandbox, SandboxOptions};

use crate::output::{Output, Stop};

pub(crate) const EXAMPLES: &str =
    "Examples:\n  wallop dev --open\n  wallop dev --data ./sandbox --port 8080\n  wallop dev --json --port 0";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The port on 127.0.0.1; 0 takes any.
    #[arg(long, default_value_t = 7070)]
    port: u16,
    /// The address to listen on: 127.0.0.1 or localhost, no other.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Keep the data in this directory instead of a temporary one.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The URL of a PostgreSQL database for this sandbox alone, instead of SQLite in the data directory.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Print one line of JSON once ready, and nothing else on stdout.
    #[arg(long)]
    json: bool,
    /// Open the start page in a browser.
    #[arg(long)]
    open: bool,
    /// Do not print the calls and callbacks as they happen.
    #[arg(long)]
    quiet: bool,
}

impl Default for Arguments {
    fn default() -> Self {
        let host = "127.0.0.1".to_owned();
        Self { port: 7070, host, data: None, database: None, json: false, open: false, quiet: false }
    }
}

/// Opens an address in the user's browser.
fn open(output: &Output, url: &str) -> Result<(), Stop> {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let opened = std::process::Command::new(program)
        .arg(url)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    match opened {
        Ok(_) => Ok(()),
        Err(error) => output.line(output.say(
            &format!("无法打开浏览器（{program}：{error}）；请自行打开 {url}"),
            &format!("cannot open a browser ({program}: {error}); open {url} yourself"),
        )),
    }
}

pub(crate) async fn run(output: &Output, arguments: Arguments) -> Result<(), Stop> {
    if !["127.0.0.1", "localhost"].contains(&&*arguments.host) {
        return Err(Stop::usage(output.say(
            &format!("--host {}：沙箱会显示密码和密钥，只在本机 127.0.0.1 上监听；从别处访问请用 ssh -L", arguments.host),
            &format!(
                "--host {}: the sandbox shows passwords and secrets, so it listens on 127.0.0.1 only; reach it from elsewhere by ssh -L",
                arguments.host
            ),
        )));
    }
    // Before anything is printed: a program that reads the line may stop the sandbox at once.
    let stop = stop_signal().map_err(|error| Stop::environment(error.to_string()))?;
    let options = SandboxOptions {
        data: arguments.data.clone(),
        database: arguments.database.clone(),
        port: arguments.port,
        ..Default::default()
    };
    let sandbox = Sandbox::start(options).await.map_err(|error| Stop::environment(error.to_string()))?;
    let mut log = sandbox.log(output.lang);
    let text = match arguments.json {
        true => serde_json::to_string(sandbox.described()).unwrap_or_default(),
        false => greeting(output, sandbox.described(), arguments.data.as_deref()),
    };
    // A closed stdout does not stop the sandbox.
    let mut is_read = output.line(&text).is_ok();
    if arguments.open {
        let _ = open(output, &sandbox.described().url);
    }
    let prints = !arguments.json && !arguments.quiet;
    let logging = async {
        while let Some(line) = log.next().await {
            is_read = is_read && (!prints || output.line(&line).is_ok());
        }
        std::future::pending::<()>().await;
    };
    let broken = tokio::select! {
        () = stop => None,
        error = sandbox.broken() => Some(error),
        () = logging => None,
    };
    tracing::info!("stopping: finishing the requests in flight");
    sandbox.stop().await;
    broken.map_or(Ok(()), |error| Err(Stop::environment(error.to_string())))
}

/// Resolves at SIGTERM or Ctrl-C.
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        let interrupt = tokio::signal::ctrl_c();
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt => {}
        }
        #[cfg(not(unix))]
        let _ = interrupt.await;
    })
}

fn greeting(output: &Output, sandbox: &Described, data: Option<&Path>) -> String {
    let fomo = &sandbox.fomo;
    let say = |zh: &'static str, en: &'static str| output.say(zh, en);
    let mut text = match output.lang {
        Lang::Zh => format!("wallop 沙箱已启动：在浏览器中打开 {}\n\n", sandbox.url),
        Lang::En => format!("wallop sandbox is running: open {} in a browser\n\n", sandbox.url),
    };
    text.push_str(&format!(
        "FOMO\n  base_url       {base}\n  client_id      {id}\n  client_secret  {secret}\n  redirect_uri   {redirect}\n  \
         {owner_word}  user {owner}, wallet_pwd {owner_pwd}\n\n",
        base = fomo.base_url,
        id = fomo.client_id,
        secret = fomo.client_secret,
        redirect = fomo.redirect_uri,
        owner_word = say("所有者       ", "owner        "),
        owner = fomo.owner_user_id,
        owner_pwd = fomo.owner_wallet_pwd,
    ));
    for (name, vas) in [("VAS", &sandbox.vas), ("Lafi", &sandbox.lafi)] {
        text.push_str(&format!(
            "{name}\n  base_url       {}\n  uuid           {}\n  accessToken    {}\n  toAddr         {}\n  {}  {}, scheme {}\n  \
             rsaPrivate     {}/sandbox\n\n",
            vas.base_url,
            vas.uuid,
            vas.access_token,
            vas.to_addr,
            say("安全域名     ", "safe domain  "),
            vas.safe_domain,
            vas.scheme,
            sandbox.url
        ));
    }
    text.push_str(say("用户\n", "Users\n"));
    for user in &sandbox.users {
        let usdt = user.balances.get("5").map_or("0", String::as_str);
        text.push_str(&format!(
            "  {:<8} user {}  pwd {}  wallet_pwd {}  {usdt} usdt\n",
            user.login_name, user.user_id, user.pwd, user.wallet_pwd
        ));
    }
    let kept = match (data, output.lang) {
        (Some(data), Lang::Zh) => format!("数据保存在 {}。", data.display()),
        (Some(data), Lang::En) => format!("The data is kept in {}.", data.display()),
        (None, _) => say(
            "停止时删除数据；要保留请用 --data DIR。",
            "The sandbox deletes its data when it stops; keep it with --data DIR.",
        )
        .to_owned(),
    };
    text.push_str(&format!(
        "\n{try_it}\n  {own}  {url}/apps/new\n  {see}  wallop demo fomo --url {url}\n  \
         {clock_word}  curl -d advance=60 {clock}\n  {coins}  curl {base}wallet/get_active_coins\n  \
         {price}  curl -X POST '{vas}oauth/pay/price?currency=CNY&accessToken={token}'\n\n\
         {kept} {end}",
        try_it = say("试一试", "Try it"),
        own = say("接入自己的应用        ", "connect an app of yours"),
        see = say("看完整的付款（vas、lafi）", "see whole payments     "),
        clock_word = say("拨动时钟              ", "move the clock         "),
        coins = say("币种列表              ", "the coins              "),
        price = say("VAS 的价格            ", "the price of a VAS     "),
        end = say(
            "按 Ctrl-C 停止。下面是实时的调用（-->）与回调（<--）。",
            "Stop it with Ctrl-C. Calls (-->) and callbacks (<--) follow as they happen."
        ),
        url = sandbox.url,
        clock = sandbox.clock_url,
        base = fomo.base_url,
        vas = sandbox.vas.base_url,
        token = sandbox.vas.access_token,
    ));
    text
}
