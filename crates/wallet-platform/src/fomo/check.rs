//! The part of a check that knows FOMO's tables: apps, tokens, transfers and feeds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wallet_core::Units;
use wallet_engine::{Row, journal};

use crate::damage::{Damage, End, Found, Look, Part, shown, sorted};
use crate::deliveries::{CallbackKind, DeliveryRow};
use crate::fomo::apps::{App, AppId, ClientName};
use crate::fomo::events::{Event, EventId, EventKind, EventMark, Feed};
use crate::fomo::oauth::Family;
use crate::fomo::payments::{TradeName, Transfer};
use crate::money::{Entry, FEES, TransferSeq};
use crate::schema::AnyRow;

#[derive(Default)]
pub(crate) struct Fomo {
    /// The payments that are done and whose entries were not seen yet; the entries come later.
    unmoved: BTreeSet<TransferSeq>,
    feeds: HashMap<AppId, Feed>,
    events: HashMap<AppId, End<EventId>>,
    refunds: BTreeMap<TransferSeq, Refunds>,
}

/// What was refunded of a payment, from three sides.
#[derive(Default)]
struct Refunds {
    /// As the payment says.
    stored: i128,
    /// The sum of its refunds.
    rows: i128,
    /// The sum of the entries.
    moved: i128,
}

impl Part for Fomo {
    fn follow(&mut self, row: &AnyRow, found: &mut Found) {
        match row {
            AnyRow::Transfer(transfer) => {
                if transfer.done {
                    self.unmoved.insert(transfer.id);
                }
                if transfer.refunded != Units::ZERO {
                    self.refunds.entry(transfer.id).or_default().stored = transfer.refunded.get();
                }
            }
            AnyRow::Refund(refund) => {
                let rows = &mut self.refunds.entry(refund.transfer).or_default().rows;
                *rows = rows.saturating_add(refund.amount.get());
            }
            AnyRow::Feed(feed) => {
                self.feeds.insert(feed.app, feed.clone());
            }
            AnyRow::Event(event) => {
                let end = self.events.entry(event.app).or_default();
                if !end.goes_on(event.n, event.id, event.previous) {
                    found.row(event, Damage::JournalCut);
                }
            }
            _ => {}
        }
    }

    fn moved(&mut self, movement: &[Entry]) {
        let Some((first, id)) = movement.first().and_then(|first| Some((first, first.transfer?))) else {
            return;
        };
        // The payment itself comes first; whatever follows is a refund.
        if !self.unmoved.remove(&id) {
            let moved = &mut self.refunds.entry(id).or_default().moved;
            *moved = moved.saturating_sub(first.amount.get());
        }
    }

    fn refer(&self, row: &AnyRow, look: &mut Look<'_>) {
        match row {
            AnyRow::App(app) => {
                look.user(app, app.owner);
                look.needs::<_, ClientName>(app, &(app.client_id.clone(),), |name| name.app == app.id);
                look.opens(app, app.opens(look.vault));
            }
            AnyRow::ClientName(name) => {
                look.needs::<_, App>(name, &(name.app,), |app| app.client_id == name.client_id);
            }
            AnyRow::Code(code) => {
                self.app(code, code.app, look);
                look.user(code, code.user);
                if let Some(family) = code.family {
                    look.needs::<_, Family>(code, &(family,), |family| family.app == code.app);
                }
            }
            AnyRow::Family(family) => {
                self.app(family, family.app, look);
                look.user(family, family.user);
            }
            AnyRow::Token(token) => look.needs::<_, Family>(token, &(token.family,), |_| true),
            AnyRow::Transfer(transfer) => self.transfer(transfer, look),
            AnyRow::TradeName(trade) => look.fits::<_, Transfer>(trade, &(trade.transfer,), |transfer| {
                transfer.app == trade.app && transfer.trade_id == trade.trade_id
            }),
            AnyRow::DeliveryRow(delivery) if delivery.callback == CallbackKind::PaymentResult => {
                look.needs::<_, Transfer>(delivery, &(TransferSeq(delivery.subject),), |transfer| {
                    transfer.done && delivery.app == transfer.app.into()
                });
            }
            AnyRow::Feed(feed) => self.app(feed, feed.app, look),
            AnyRow::Event(event) => {
                let fits = |transfer: &Transfer| transfer.app == event.app;
                match event.kind {
                    EventKind::Created => look.fits(event, &(event.transfer,), fits),
                    _ => look.needs(event, &(event.transfer,), fits),
                }
                if journal::has_mark(event.n) {
                    let key = (event.app, event.n);
                    look.needs::<_, EventMark>(event, &key, |mark| mark.event == event.id);
                }
            }
            AnyRow::EventMark(mark) => look
                .needs::<_, Event>(mark, &(mark.event,), |event| (event.app, event.n) == (mark.app, mark.n)),
            _ => {}
        }
    }

    fn refer_movement(&self, movement: &[Entry], look: &mut Look<'_>) {
        let Some((first, rest)) = movement.split_first() else { return };
        let Some(id) = first.transfer else { return };
        let Some(found) = look.row::<Transfer>(&(id,)) else { return };
        let Some(transfer) = found else { return look.damage(first, Damage::Lacks(Transfer::TABLE.name)) };
        if !transfer.done {
            look.damage(transfer, Damage::NotDone);
        }
        let leg = |entry: &Entry| (entry.owner, entry.amount.get());
        let (amount, cut) = (transfer.amount.get(), transfer.cut.get());
        let (pays, receives, fee) = ((transfer.payer, -amount), (transfer.payee, amount - cut), (FEES, cut));
        let is_payment = leg(first) == pays
            && match rest {
                [received] => leg(received) == receives && transfer.cut == Units::ZERO,
                [received, cut] => leg(received) == receives && leg(cut) == fee,
                _ => false,
            };
        let is_refund = first.owner == transfer.payee
            && matches!(rest, [back] if leg(back) == (transfer.payer, -first.amount.get()));
        if first.coin != transfer.coin || !(is_payment || is_refund) {
            look.damage(transfer, Damage::OtherMovement);
        }
    }

    fn end(&mut self, found: &mut Found) {
        for id in std::mem::take(&mut self.unmoved) {
            found.at(Transfer::TABLE.name, shown(&id), Damage::NotMoved);
        }
        for (id, refunds) in std::mem::take(&mut self.refunds) {
            let stored = refunds.stored;
            if let Some(other) = [refunds.rows, refunds.moved].into_iter().find(|other| *other != stored) {
                found.at(Transfer::TABLE.name, shown(&id), Damage::Refunded { stored, found: other });
            }
        }
        for (app, feed) in sorted(std::mem::take(&mut self.feeds)) {
            let end = self.events.remove(&app).unwrap_or_default();
            if (feed.last, feed.last_event) != (end.n, end.last) {
                found.row(&feed, Damage::JournalEnds);
            }
        }
        for (app, _) in sorted(std::mem::take(&mut self.events)) {
            found.at(Event::TABLE.name, shown(&app), Damage::Lacks(Feed::TABLE.name));
        }
    }
}

impl Fomo {
    fn app<R: Row>(&self, row: &R, id: AppId, look: &mut Look<'_>) {
        look.needs::<R, App>(row, &(id,), |_| true);
    }

    fn transfer(&self, transfer: &Transfer, look: &mut Look<'_>) {
        self.app(transfer, transfer.app, look);
        look.user(transfer, transfer.payer);
        look.user(transfer, transfer.payee);
        look.coin(transfer, transfer.coin);
        let key = (transfer.app, transfer.trade_id.clone());
        look.needs::<_, TradeName>(transfer, &key, |trade| trade.transfer == transfer.id);
        match transfer.delivery {
            Some(delivery) if transfer.done => {
                look.needs::<_, DeliveryRow>(transfer, &(delivery,), |delivery| {
                    delivery.callback == CallbackKind::PaymentResult && delivery.subject == transfer.id.0
                });
            }
            None if transfer.done => look.damage(transfer, Damage::NoCallback),
            _ => {}
        }
    }
}
