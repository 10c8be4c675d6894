import AsyncHTTPClient
import Keybearer
import NIOCore
import Synchronization

/// HTTP clients that connect to one address each, whatever a name resolves to meanwhile.
///
/// The library lets a client, and not a request, say where a name leads; so there is one for each pair of a name and an
/// address, as long as it is used. The host stays in the request and in the TLS handshake.
final class PinnedClients: Sendable {
    /// What a client is for.
    struct Target: Sendable, Hashable {
        let host: String
        let address: IPAddress
    }

    /// How many are kept that nobody uses now.
    static let mostIdle = 64

    private struct Lent {
        let client: HTTPClient
        var users: Int
        var lastUse: Int
    }

    private struct State {
        var entries: [Target: Lent] = [:]
        var uses = 0
    }

    private let state = Lock(State())
    private let group: any EventLoopGroup
    private let configuration: HTTPClient.Configuration

    init(group: any EventLoopGroup, configuration: HTTPClient.Configuration) {
        self.group = group
        self.configuration = configuration
    }

    /// Lends the client of a target.
    func withClient<Value: Sendable>(
        of target: Target, _ body: (HTTPClient) async -> Value
    ) async -> Value {
        let client = take(target)
        let value = await body(client)
        for client in release(target) { try? await client.shutdown() }
        return value
    }

    /// Ends all. Nothing may be lent afterwards.
    func shutdown() async {
        let all = state.withLock { state in
            defer { state.entries = [:] }
            return state.entries.values.map(\.client)
        }
        for client in all { try? await client.shutdown() }
    }

    private func take(_ target: Target) -> HTTPClient {
        state.withLock { state in
            state.uses += 1
            if var entry = state.entries[target] {
                entry.users += 1
                entry.lastUse = state.uses
                state.entries[target] = entry
                return entry.client
            }
            var configuration = configuration
            if IPAddress(target.host) == nil {
                configuration.dnsOverride = [target.host: target.address.description]
            }
            let client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
            state.entries[target] = Lent(client: client, users: 1, lastUse: state.uses)
            return client
        }
    }

    /// - Returns: those that are not kept any more.
    private func release(_ target: Target) -> [HTTPClient] {
        state.withLock { state in
            state.entries[target]?.users -= 1
            let idle = state.entries.filter { $0.value.users == 0 }
            guard idle.count > Self.mostIdle else { return [] }
            let old = idle.sorted { $0.value.lastUse < $1.value.lastUse }.prefix(idle.count - Self.mostIdle)
            for each in old { state.entries[each.key] = nil }
            return old.map(\.value.client)
        }
    }
}
