//! Ports that stay a node's own while it is stopped.
//!
//! A node must come back on its port, and anything else that asks the system for some port meanwhile (a browser's
//! outgoing connections do so all the time) could be given it. A socket that is bound and does not listen prevents
//! that: connections to the port are refused as if nobody were there, and the node's own listener may still bind it,
//! because both allow the address to be reused. Linux lets the two stand side by side; elsewhere the port is only
//! chosen, and given up again.

use std::{io, net::SocketAddr};

use tokio::net::TcpSocket;

/// A port of 127.0.0.1, held from choosing to the end of the fleet.
#[derive(Debug)]
pub(crate) struct PortHold {
    port: u16,
    _socket: Option<TcpSocket>,
}

impl PortHold {
    /// Takes `port`, or one that is free when it is 0. Fails with `AddrInUse` when somebody listens there.
    pub(crate) fn take(port: u16) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
        let port = socket.local_addr()?.port();
        Ok(Self {
            port,
            _socket: cfg!(target_os = "linux").then_some(socket),
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}
