//! Conversion of rows into the types of the VAS and Lafi wallets.

use wallet_api::vas::{self, OrderState};

use crate::vas::orders::VasOrder;

/// An order, as its app sees it (R71). `from_addr` is present once the order is paid.
pub fn order(order: &VasOrder) -> vas::order::Response {
    let paid = order.state == OrderState::Paid;
    vas::order::Response {
        order_id: order.order_id.clone(),
        state: order.state.into(),
        to_addr: order.to_addr.clone(),
        asset_type: order.asset.clone(),
        amount: order.amount.clone(),
        from_addr: paid.then(|| order.from_addr.clone()),
        txid: order.txid.clone(),
        fault: order.fault.map(Into::into),
    }
}
