//! The part of a check that knows the tables of the VAS and Lafi wallets: applications, apps, codes and orders.

use std::collections::HashMap;

use wallet_api::vas::{OrderState, Review};
use wallet_engine::Row;

use crate::accounts::UserId;
use crate::damage::{Damage, Found, Look, Part, shown, sorted};
use crate::deliveries::{CallbackKind, DeliveryRow};
use crate::money::Entry;
use crate::schema::AnyRow;
use crate::vas::apps::{Applicant, VasApp, VasAppId, VasAppName};
use crate::vas::orders::{OrderSeq, VasOrder, VasOrderName};

#[derive(Default)]
pub(crate) struct Vas {
    /// The count of each applicant's pending applications, and those that were found.
    applicants: HashMap<UserId, (u64, u64)>,
}

impl Part for Vas {
    fn follow(&mut self, row: &AnyRow, _: &mut Found) {
        match row {
            AnyRow::Applicant(applicant) => {
                self.applicants.entry(applicant.user).or_default().0 = applicant.pending.into();
            }
            AnyRow::VasApp(app) if app.state == Review::Pending && app.closed_at.is_none() => {
                self.applicants.entry(app.owner).or_default().1 += 1;
            }
            _ => {}
        }
    }

    fn moved(&mut self, _: &[Entry]) {}

    fn refer(&self, row: &AnyRow, look: &mut Look<'_>) {
        match row {
            AnyRow::Applicant(applicant) => look.user(applicant, applicant.user),
            AnyRow::VasApp(app) => {
                look.user(app, app.owner);
                look.needs::<_, VasAppName>(app, &(app.uuid.clone(),), |name| name.app == app.id);
                if app.state == Review::Approved {
                    look.opens(app, app.credentials(look.vault).is_ok());
                }
            }
            AnyRow::VasAppName(name) => {
                look.needs::<_, VasApp>(name, &(name.app,), |app| app.uuid == name.uuid);
            }
            AnyRow::VasToken(token) => self.app(token, token.app, look),
            AnyRow::ReceivingAddress(address) => self.app(address, address.app, look),
            AnyRow::DomainRequest(request) => self.app(request, request.app, look),
            AnyRow::OpenCode(code) => {
                self.app(code, code.app, look);
                look.user(code, code.user);
            }
            AnyRow::VasOrder(order) => self.order(order, look),
            AnyRow::VasOrderName(name) => look.needs::<_, VasOrder>(name, &(name.order_seq,), |order| {
                order.app == name.app && order.order_id == name.order_id
            }),
            AnyRow::VasPayment(payment) => {
                look.needs::<_, VasOrder>(payment, &(payment.order_seq,), |order| {
                    order.txid.as_ref() == Some(&payment.txid)
                })
            }
            AnyRow::SignedCallback(signed) => {
                look.needs::<_, DeliveryRow>(signed, &(signed.delivery,), |_| true);
            }
            AnyRow::DeliveryRow(delivery) if delivery.callback == CallbackKind::Payment => {
                look.needs::<_, VasOrder>(delivery, &(OrderSeq(delivery.subject),), |order| {
                    delivery.app == order.app.into()
                });
            }
            _ => {}
        }
    }

    fn refer_movement(&self, _: &[Entry], _: &mut Look<'_>) {}

    fn end(&mut self, found: &mut Found) {
        for (user, (stored, counted)) in sorted(std::mem::take(&mut self.applicants)) {
            if stored != counted {
                found.at(Applicant::TABLE.name, shown(&user), Damage::Count { stored, found: counted });
            }
        }
    }
}

impl Vas {
    fn app<R: Row>(&self, row: &R, id: VasAppId, look: &mut Look<'_>) {
        look.needs::<R, VasApp>(row, &(id,), |_| true);
    }

    fn order(&self, order: &VasOrder, look: &mut Look<'_>) {
        self.app(order, order.app, look);
        let key = (order.app, order.order_id.clone());
        look.needs::<_, VasOrderName>(order, &key, |name| name.order_seq == order.id);
        match order.delivery {
            Some(delivery) if order.state == OrderState::Paid => {
                look.needs::<_, DeliveryRow>(order, &(delivery,), |delivery| {
                    delivery.callback == CallbackKind::Payment && delivery.subject == order.id.0
                });
            }
            None if order.state == OrderState::Paid => look.damage(order, Damage::NoCallback),
            _ => {}
        }
    }
}
