//! The addresses at which an app is paid: `toAddr` of its pay links. The platform makes addresses of the embedded chain;
//! an address of a real chain is entered by the developer, who has its key.

use wallet_api::vas::{Address, limits};
use wallet_engine::{Command, Query, rows};

use crate::accounts::UserId;
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::vas::apps::{VasApp, VasAppId};
use crate::vas::chain::OrderChain;

/// The largest number of addresses of one app.
const MAX_ADDRESSES: u32 = limits::RECEIVING_ADDRESSES as u32;

rows! { in Platform;
    /// An address at which an app is paid.
    vas_address: ReceivingAddress {
        key {
            /// The app.
            app: VasAppId,
            /// The number of the address among the app's, from 0.
            number: u32,
        }
        /// The address.
        address: Address<'static>,
        /// Whether the developer entered it.
        entered: bool,
    }
}

/// Why an address is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressFault {
    /// The text is not an address of the chain, for example because its checksum is wrong.
    Malformed,
    /// The app already has this address.
    Known,
    /// The app has the largest number of addresses.
    TooMany,
    /// The app is unknown, not approved, or another user's.
    Unknown,
}

/// The app's addresses in the order of their numbers.
fn all(rows: &Rows, app: VasAppId) -> Result<Vec<ReceivingAddress>, Stop> {
    (0..MAX_ADDRESSES).for_each(|number| rows.want::<ReceivingAddress>(&(app, number)));
    let mut found = Vec::new();
    for number in 0..MAX_ADDRESSES {
        match rows.find::<ReceivingAddress>(&(app, number))? {
            Some(address) => found.push(address.clone()),
            None => break,
        }
    }
    Ok(found)
}

/// The address of the embedded chain with this number.
pub(super) fn derived_address(app: VasAppId, number: u32, cx: &Context<'_>) -> ReceivingAddress {
    let address = cx.vault.app_address(app, number).into();
    ReceivingAddress { app, number, address, entered: false }
}

/// Adds an address to an approved app.
#[derive(Debug)]
pub struct AddAddress {
    /// The owner of the app.
    pub owner: UserId,
    /// The app.
    pub app: VasAppId,
    /// The address that the developer entered; `None`: a new address of the embedded chain.
    pub entered: Option<String>,
    /// The chain, and what it says of the entered address.
    pub chain: OrderChain,
}

impl Command<Platform> for AddAddress {
    type Outcome = Result<ReceivingAddress, AddressFault>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let app = rows.find::<VasApp>(&(self.app,))?;
        if !app.is_some_and(|app| app.owner == self.owner && app.may_be_used()) {
            return Ok(Err(AddressFault::Unknown));
        }
        let known = all(rows, self.app)?;
        let number = known.len() as u32; // at most MAX_ADDRESSES
        if number >= MAX_ADDRESSES {
            return Ok(Err(AddressFault::TooMany));
        }
        let added = match &self.entered {
            None => derived_address(self.app, number, cx),
            Some(text) => {
                if !self.chain.has(cx.vault, text) {
                    return Ok(Err(AddressFault::Malformed));
                }
                let address: Address<'static> = text.clone().into();
                if known.iter().any(|known| known.address == address) {
                    return Ok(Err(AddressFault::Known));
                }
                ReceivingAddress { app: self.app, number, address, entered: true }
            }
        };
        out.put(added.clone());
        Ok(Ok(added))
    }
}

/// The addresses of an app, the oldest first.
#[derive(Debug)]
pub struct AddressesOf(pub VasAppId);

impl Query<Platform> for AddressesOf {
    type Answer = Vec<ReceivingAddress>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        all(rows, self.0)
    }
}
