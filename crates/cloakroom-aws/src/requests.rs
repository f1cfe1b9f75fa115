//! Requests as they are sent, word for word. Emulators forgive what AWS does not, so each call of a port is held to its request.

mod clients;
mod objects;
mod queue;
mod script;
mod table;
