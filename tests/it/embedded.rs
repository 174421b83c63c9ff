//! The embedded chain in a schema of its own, without a platform.

use std::sync::Arc;

use wallet_chain::embedded::{
    Chain, ChainHash, DevBalance, DevIssue, DevMine, DevPay, DevReorg, DevTransaction, Refused,
};
use wallet_core::UnixTime;
use wallet_crypto::Portable;
use wallet_engine::{Backend, Command, Engine, Failure, Query, job};
use wallet_store::Memory;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn run<C: Command<Chain>>(
    engine: &mut Engine<Chain, impl Backend<Chain>>,
    command: C,
) -> Result<C::Outcome, Failure<Refused>> {
    let (job, mut outcome) = job(command);
    engine.batch(&|| NOW, [job]).unwrap();
    outcome.take().expect("a batch answers each command")
}

fn read<Q: Query<Chain>>(engine: &mut Engine<Chain, impl Backend<Chain>>, query: Q) -> Q::Answer {
    engine.read(NOW, query).unwrap()
}

fn balances(engine: &mut Engine<Chain, impl Backend<Chain>>) -> [String; 2] {
    ["alice", "shop"].map(|address| {
        let (address, asset) = (address.to_owned(), "VAS".to_owned());
        read(engine, DevBalance { address, asset }).to_string()
    })
}

#[test]
fn the_embedded_chain_runs_without_a_platform() {
    let mut engine = Memory::<Chain>::starting_at(1).engine(ChainHash(Arc::new(Portable::new())));
    let pay = |amount: &str| DevPay {
        from: "alice".to_owned(),
        to: "shop".to_owned(),
        asset: "VAS".to_owned(),
        amount: amount.parse().unwrap(),
        data: "order-1".to_owned(),
    };
    let (to, asset) = ("alice".to_owned(), "VAS".to_owned());
    run(&mut engine, DevIssue { to, asset, amount: "10".parse().unwrap() }).unwrap();
    let too_much = run(&mut engine, pay("10.00000001"));
    assert!(matches!(too_much, Err(Failure::Refused(no)) if *no == Refused::InsufficientBalance));

    let txid = run(&mut engine, pay("4")).unwrap();
    run(&mut engine, DevMine { blocks: 2 }).unwrap();
    let paid = read(&mut engine, DevTransaction(txid.clone())).expect("the payment is on the chain");
    assert_eq!((paid.confirmations, paid.block.is_some()), (2, true));
    assert_eq!(balances(&mut engine), ["6", "4"]);

    run(&mut engine, DevReorg { depth: 2, double_spend: vec![txid.clone()] }).unwrap();
    let undone = read(&mut engine, DevTransaction(txid)).expect("a dead transaction is still known");
    assert_eq!((undone.confirmations, undone.block), (-1, None));
    assert_eq!(balances(&mut engine), ["10", "0"]);
}
