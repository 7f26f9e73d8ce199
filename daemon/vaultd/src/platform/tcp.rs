//! Whose process holds the other end of a TCP connection on this machine.

use std::net::SocketAddr;

/// The user whose socket is bound to `remote` and connected to `local`, as the process `server` sees
/// it; none where that cannot be proven: another machine's, closed meanwhile, or a platform that does
/// not tell.
///
/// The table is that of the server, the gateway: this daemon may well have no network at all. Both
/// ends must match: a port alone may have been used again by another user's process since.
#[cfg(target_os = "linux")]
pub fn tcp_owner(server: i32, remote: SocketAddr, local: SocketAddr) -> Option<u32> {
    // The kernel writes these files while sockets come and go, and may skip a line: a second look
    // costs less than a user who is let in only sometimes.
    (0..2).find_map(|_| {
        ["tcp", "tcp6"].into_iter().find_map(|name| {
            let path = format!("/proc/{server}/net/{name}");
            table::owner(&std::fs::read_to_string(path).ok()?, remote, local)
        })
    })
}

/// Nothing is proven here.
#[cfg(not(target_os = "linux"))]
pub fn tcp_owner(_server: i32, _remote: SocketAddr, _local: SocketAddr) -> Option<u32> {
    None
}

/// The form of `/proc/PID/net/tcp` and `tcp6` (`proc_pid_net(5)`).
#[cfg(target_os = "linux")]
mod table {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    /// A connection that is open both ways.
    const ESTABLISHED: &str = "01";

    /// The user of the line whose own address is `remote` and whose peer's is `local`.
    pub(super) fn owner(table: &str, remote: SocketAddr, local: SocketAddr) -> Option<u32> {
        let wanted = (canonical(remote), canonical(local));
        table.lines().skip(1).find_map(|line| {
            let mut columns = line.split_ascii_whitespace().skip(1);
            let ends = (address(columns.next()?)?, address(columns.next()?)?);
            let established = columns.next()? == ESTABLISHED;
            // After the state: queues, timer, retransmissions.
            let user = columns.nth(3)?;
            (established && ends == wanted)
                .then(|| user.parse().ok())
                .flatten()
        })
    }

    /// An IPv4 address that an IPv6 socket speaks to is written as that.
    fn canonical(address: SocketAddr) -> (IpAddr, u16) {
        (address.ip().to_canonical(), address.port())
    }

    /// `0100007F:1F90`: words of the address in the machine's byte order, and the port.
    fn address(text: &str) -> Option<(IpAddr, u16)> {
        let (address, port) = text.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let mut bytes = [0; 16];
        let length = address.len() / 2;
        let words = bytes.get_mut(..length)?.chunks_exact_mut(4);
        for (index, word) in words.enumerate() {
            let digits = address.get(8 * index..8 * (index + 1))?;
            word.copy_from_slice(&u32::from_str_radix(digits, 16).ok()?.to_ne_bytes());
        }
        let address = match address.len() {
            8 => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
            32 => IpAddr::V6(Ipv6Addr::from(bytes)),
            _ => return None,
        };
        Some((address.to_canonical(), port))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when \
                            retrnsmt   uid  timeout inode\n";

        fn line(local: &str, remote: &str, state: &str, user: u32) -> String {
            format!(
                "   1: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {user}        \
                 0 4242 1 0000000000000000 20 4 30 10 -1\n"
            )
        }

        fn socket(text: &str) -> SocketAddr {
            text.parse().expect("an address")
        }

        #[cfg(target_endian = "little")]
        #[test]
        fn both_ends_and_the_state_must_match() {
            let client = socket("127.0.0.1:50000");
            let gateway = socket("127.0.0.1:7787");
            let (from, to) = ("0100007F:C350", "0100007F:1E6B");
            let one = |line: String| owner(&format!("{HEAD}{line}"), client, gateway);
            assert_eq!(one(line(from, to, "01", 1000)), Some(1000));
            // The gateway's own end of it, and the port used again towards another.
            assert_eq!(one(line(to, from, "01", 1000)), None);
            assert_eq!(one(line(from, "0100007F:1E6C", "01", 1000)), None);
            // Waiting for its port to be free again.
            assert_eq!(one(line(from, to, "06", 1000)), None);
            assert_eq!(one("nonsense\n".into()), None);
            // Of several lines, the one that matches.
            let lines = [
                line(from, "0100007F:1E6C", "01", 7),
                line(from, to, "01", 1001),
            ];
            assert_eq!(one(lines.concat()), Some(1001));
        }

        #[cfg(target_endian = "little")]
        #[test]
        fn an_ipv4_address_is_the_same_written_as_ipv6() {
            let mapped = "0000000000000000FFFF00000100007F";
            let table = format!(
                "{HEAD}{}",
                line(
                    &format!("{mapped}:C350"),
                    &format!("{mapped}:1E6B"),
                    "01",
                    5
                )
            );
            let plain = (socket("127.0.0.1:50000"), socket("127.0.0.1:7787"));
            assert_eq!(owner(&table, plain.0, plain.1), Some(5));
            let mapped = socket("[::ffff:127.0.0.1]:50000");
            assert_eq!(owner(&table, mapped, plain.1), Some(5));
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_of_this_process_is_this_users_and_a_forged_one_is_nobodys() {
        for bound in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(bound) else {
                continue;
            };
            let gateway = listener.local_addr().expect("bound");
            let stream = TcpStream::connect(gateway).expect("connected");
            let client = stream.local_addr().expect("connected");
            let own = i32::try_from(std::process::id()).expect("a process");
            let owner = |client, gateway| tcp_owner(own, client, gateway);
            assert_eq!(owner(client, gateway), crate::platform::user_id());
            assert_eq!(
                tcp_owner(i32::MAX, client, gateway),
                None,
                "no such process"
            );

            let mut other = gateway;
            other.set_port(gateway.port().wrapping_add(1));
            assert_eq!(owner(client, other), None, "another end");
            let mut free = client;
            free.set_port(1);
            assert_eq!(owner(free, gateway), None, "nobody's port");
            let mut proxied = client;
            proxied.set_port(0);
            assert_eq!(owner(proxied, gateway), None, "a hop behind a proxy");
        }
    }
}
