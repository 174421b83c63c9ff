//! The attempts under way to each port of a host. The owners of apps take turns at it, so a developer who names another merchant's host
//! delays that merchant's callbacks by one attempt at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use wallet_platform::accounts::UserId;

/// The attempts to every host.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Mutex<HashMap<String, Host>>,
    /// The most attempts to a port of a host.
    most: usize,
}

/// The attempts to one port of a host.
#[derive(Debug, Default)]
struct Host {
    under_way: usize,
    /// The same for each owner; without those that have no attempt.
    owners: HashMap<UserId, usize>,
    /// The attempts that wait, the earliest first, each with its owner.
    waiting: Vec<(UserId, oneshot::Sender<Turn>)>,
}

/// The turn of an attempt at a host. The next one begins when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// `None` once it was given back.
    at: Option<(Arc<Hosts>, String, UserId)>,
}

impl Hosts {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { hosts: Mutex::default(), most: most.max(1) })
    }

    /// The most attempts of one owner: others find a place at once.
    fn most_of_owner(&self) -> usize {
        (self.most * 3 / 4).max(1)
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, HashMap<String, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(self: &Arc<Self>, host: &str, owner: UserId) -> Turn {
        Turn { at: Some((self.clone(), host.to_owned(), owner)) }
    }

    fn admits(&self, host: &Host, owner: UserId) -> bool {
        host.under_way < self.most && host.owners.get(&owner).is_none_or(|own| *own < self.most_of_owner())
    }

    /// Waits for a turn at a host.
    pub(super) async fn turn_at(self: &Arc<Self>, name: &str, owner: UserId) -> Turn {
        let waiting = {
            let mut hosts = self.hosts();
            let host = hosts.entry(name.to_owned()).or_default();
            if self.admits(host, owner) {
                host.begin(owner);
                return self.turn(name, owner);
            }
            let (sender, waiting) = oneshot::channel();
            host.waiting.push((owner, sender));
            waiting
        };
        // The sender waits in the map until it is used.
        waiting.await.unwrap_or(Turn { at: None })
    }

    /// An attempt has ended: the next one is of the owner with the fewest attempts at this host.
    fn end(self: &Arc<Self>, name: &str, owner: UserId) {
        let mut unused = Vec::new();
        {
            let mut hosts = self.hosts();
            let Some(host) = hosts.get_mut(name) else { return };
            host.end(owner);
            loop {
                let own = |owner: &UserId| host.owners.get(owner).copied().unwrap_or(0);
                let next =
                    host.waiting.iter().enumerate().filter(|(_, (owner, _))| self.admits(host, *owner));
                let Some((at, _)) = next.min_by_key(|(at, (owner, _))| (own(owner), *at)) else { break };
                let (owner, sender) = host.waiting.remove(at);
                if let Err(turn) = sender.send(self.turn(name, owner)) {
                    unused.push(turn); // it does not wait any more
                    continue;
                }
                host.begin(owner);
            }
            if host.under_way == 0 && host.waiting.is_empty() {
                hosts.remove(name);
            }
        }
        unused.into_iter().for_each(|mut turn| turn.at = None);
    }
}

impl Host {
    fn begin(&mut self, owner: UserId) {
        self.under_way += 1;
        *self.owners.entry(owner).or_default() += 1;
    }

    fn end(&mut self, owner: UserId) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(own) = self.owners.get_mut(&owner) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.owners.remove(&owner);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((hosts, name, owner)) = self.at.take() {
            hosts.end(&name, owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn now<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    const ONE: UserId = UserId::new(1);
    const OTHER: UserId = UserId::new(2);
    const THIRD: UserId = UserId::new(3);

    #[test]
    fn the_owner_with_the_fewest_attempts_is_next() {
        let hosts = Hosts::new(8);
        let take = |owner| now(pin!(hosts.turn_at("shop.example:443", owner)));
        let mut of_one: Vec<Turn> = std::iter::from_fn(|| take(ONE)).take(9).collect();
        assert_eq!(of_one.len(), 6, "three quarters of eight");
        let others: Vec<Turn> = (0..2).map(|_| take(OTHER).expect("a place for others")).collect();
        assert!(
            now(pin!(hosts.turn_at("shop.example:80", ONE))).is_some(),
            "another port is another program"
        );
        let mut first = pin!(hosts.turn_at("shop.example:443", ONE));
        let mut second = pin!(hosts.turn_at("shop.example:443", THIRD));
        assert!(now(first.as_mut()).is_none() && now(second.as_mut()).is_none());
        of_one.pop();
        assert!(now(first.as_mut()).is_none(), "who has none comes before who came first");
        let third = now(second.as_mut()).expect("its turn");
        drop(others);
        assert!(now(first.as_mut()).is_some());
        drop((of_one, third));
        assert!(hosts.hosts().is_empty(), "{:?}", hosts.hosts());
    }
}
