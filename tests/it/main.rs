//! The platform from outside: over HTTP, on its stores, as a program.

mod bad_input;
mod callbacks;
mod chain;
mod clients;
mod crash;
mod deliveries;
mod endpoints;
mod explain;
mod fsync;
mod journal;
mod links;
mod orders;
mod pages;
mod program;
mod purge;
mod qr;
mod races;
mod returns;
mod rsa;
mod rules;
mod signing;
mod store;
mod toy;
mod vas;
mod vas_http;
mod wallet;
