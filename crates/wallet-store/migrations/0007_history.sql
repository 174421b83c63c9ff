-- What a user has paid by the VAS and Lafi wallets, for the user's own history.

CREATE INDEX vas_order_paid_by ON vas_order (payer, asset, id);
