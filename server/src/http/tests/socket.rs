//! One real socket.
