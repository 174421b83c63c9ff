//! A node of a chain like Bitcoin's, in its regression-test mode: nobody else is on its chain, and blocks are made on demand.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::free_port;

/// The user and the password of its JSON-RPC.
pub const USER: &str = "wallop";
/// The password.
pub const PASSWORD: &str = "regtest";

/// A running Litecoin Core with two wallets: `payer`, which has money, and `shop`.
pub struct Litecoin {
    child: Child,
    port: u16,
    /// Its data; removed with it.
    _directory: tempfile::TempDir,
}

impl Litecoin {
    /// Starts one that indexes every transaction, with money in the wallet `payer`.
    pub fn start() -> Self {
        let node = Self::start_with(&["-txindex=1"]);
        for wallet in ["payer", "shop"] {
            node.call("", "createwallet", json!([wallet]));
        }
        node.mine(101); // the first block's coins can be spent after 100 more
        node
    }

    /// Starts one with these options, and waits until it answers.
    pub fn start_with(options: &[&str]) -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let child = Command::new("litecoind")
            .args([
                "-regtest",
                "-server",
                "-listen=0",
                "-dnsseed=0",
                "-fallbackfee=0.0002",
                "-printtoconsole=0",
            ])
            .args([
                &format!("-rpcuser={USER}"),
                &format!("-rpcpassword={PASSWORD}"),
                &format!("-rpcport={port}"),
            ])
            .arg(format!("-datadir={}", directory.path().display()))
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("litecoind is installed: `cargo xtask test` installs it, or says what to type");
        let node = Self { child, port, _directory: directory };
        let since = Instant::now();
        // It refuses calls with an error while it starts.
        while node.try_call("", "getblockchaininfo", &json!([])).is_err() {
            assert!(since.elapsed() < Duration::from_secs(60), "litecoind does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        node
    }

    /// The address of its JSON-RPC.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    fn try_call(&self, wallet: &str, method: &str, params: &Value) -> Result<Value, String> {
        let path = if wallet.is_empty() { String::new() } else { format!("wallet/{wallet}") };
        let body = json!({"id": 1, "method": method, "params": params}).to_string();
        let output = Command::new("curl")
            .args(["-s", "-m", "60", "-u", &format!("{USER}:{PASSWORD}"), "--data-binary", &body])
            .arg(format!("{}{path}", self.url()))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let reply: Value = serde_json::from_str(&text).map_err(|_| format!("{method}: {text}"))?;
        if reply["error"].is_null() { Ok(reply["result"].clone()) } else { Err(reply["error"].to_string()) }
    }

    /// A call to a wallet of the node, or, without a name, to the node itself.
    pub fn call(&self, wallet: &str, method: &str, params: Value) -> Value {
        self.try_call(wallet, method, &params).unwrap_or_else(|error| panic!("{method} {params}: {error}"))
    }

    /// A new address of a wallet.
    pub fn new_address(&self, wallet: &str) -> String {
        self.call(wallet, "getnewaddress", json!([])).as_str().unwrap().to_owned()
    }

    /// Makes blocks; their reward is the payer's.
    pub fn mine(&self, blocks: u32) {
        let to = self.new_address("payer");
        self.call("", "generatetoaddress", json!([blocks, to]));
    }

    /// Makes a block with these transactions alone.
    pub fn mine_only(&self, transactions: &[&str]) {
        let to = self.new_address("payer");
        self.call("", "generateblock", json!([to, transactions]));
    }

    /// Removes the newest block from the chain: its transactions wait for another one.
    pub fn remove_block(&self) {
        let tip = self.call("", "getbestblockhash", json!([]));
        self.call("", "invalidateblock", json!([tip]));
    }

    /// Broadcasts a payment of the payer to an address, with data in an output of its own. Returns its txid.
    pub fn pay(&self, to: &str, amount: &str, data: &str) -> String {
        let hex: String = data.bytes().map(|byte| format!("{byte:02x}")).collect();
        let made = self.call("", "createrawtransaction", json!([[], [{ to: amount }, { "data": hex }]]));
        let funded = self.call("payer", "fundrawtransaction", json!([made]));
        self.broadcast(&self.sign(&funded["hex"]))
    }

    fn sign(&self, transaction: &Value) -> String {
        let signed = self.call("payer", "signrawtransactionwithwallet", json!([transaction]));
        signed["hex"].as_str().unwrap().to_owned()
    }

    fn broadcast(&self, transaction: &str) -> String {
        self.call("", "sendrawtransaction", json!([transaction])).as_str().unwrap().to_owned()
    }

    /// Another transaction that spends the same money, signed and not broadcast.
    pub fn conflicting(&self, txid: &str) -> String {
        let spent = self.call("", "getrawtransaction", json!([txid, true]));
        let inputs: Vec<Value> = spent["vin"]
            .as_array()
            .unwrap()
            .iter()
            .map(|input| json!({"txid": input["txid"], "vout": input["vout"]}))
            .collect();
        let back = self.new_address("payer");
        self.sign(&self.call("", "createrawtransaction", json!([inputs, [{ back: "1" }]])))
    }
}

impl Drop for Litecoin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
