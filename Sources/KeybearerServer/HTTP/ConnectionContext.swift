import Hummingbird
import Keybearer
import Logging
import NIOCore

/// What the connection says of a request: who the TCP peer is. Taken before anything that a client wrote.
struct ConnectionContext: InitializableFromSource {
    /// The TCP peer; nil on a Unix socket.
    let peer: IPAddress?
    /// Tells the connection that the body is about to be read: a client may wait for that.
    let requestBody: @Sendable () -> Void

    init(source: ApplicationRequestContextSource) {
        let channel = source.channel
        peer = channel.remoteAddress.flatMap { IPAddress($0) }
        requestBody = { channel.triggerUserOutboundEvent(BodyIsWanted(), promise: nil) }
    }

    /// For tests that have no connection.
    init(peer: IPAddress?) {
        self.peer = peer
        requestBody = {}
    }
}

extension IPAddress {
    /// The address of a socket, without its port; nil for a Unix socket.
    init?(_ socket: SocketAddress) {
        switch socket {
        case .v4:
            // Family and port are two bytes each; the address follows.
            self = socket.withSockAddr { address, _ in
                IPAddress(
                    v4: UInt32(bigEndian: UnsafeRawPointer(address).loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
            }
        case .v6:
            // Family, port and flow label take eight bytes; the address follows.
            self = socket.withSockAddr { address, _ in
                let bytes = UnsafeRawPointer(address)
                return IPAddress(
                    high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                    low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)))
            }
        case .unixDomainSocket: return nil
        }
    }
}
