import Keybearer
import KeybearerScan
import KeybearerServer

/// Whose the keys are that were found, looked up as `key lookup` does: nothing is counted, and "Last used" stays as it is.
struct ScanChecks {
    private let owners: [[UInt8]: KeyOwnerJSON]

    /// Looks up every key, each of them once.
    init(of finds: [ScanFind], _ bootstrap: Bootstrap) async throws {
        // Operator tokens are no keys: a look-up would say that nobody has them.
        let tokens = Set(finds.filter { $0.match.kind != .operatorToken }.map(\.match.token))
        owners = try await bootstrap.withInstallation { services in
            var owners: [[UInt8]: KeyOwnerJSON] = [:]
            for token in tokens {
                do {
                    let owner = try await services.directory.owner(of: String(decoding: token, as: UTF8.self))
                    owners[token] = KeyOwnerJSON(owner)
                } catch let error as KeybearerError where error.code == .notFound {}
            }
            return owners
        }
    }

    /// What is known of a find: nil where this installation does not have the key.
    func owner(of find: ScanFind) -> KeyOwnerJSON? { owners[find.match.token] }
}
