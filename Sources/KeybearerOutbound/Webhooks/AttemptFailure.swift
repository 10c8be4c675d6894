import AsyncHTTPClient
import Foundation
import Keybearer
import NIOCore
import NIOPosix
import NIOSSL

/// Why an attempt got no answer, and what that says of the way to the host.
struct AttemptFailure: Sendable {
    let problem: WebhookReply.Problem
    let sign: UplinkWatch.Sign

    /// This machine has no file, no memory or no port left for a connection.
    private static let own: Set<CInt> = [EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL]
    private static let unreachable: Set<CInt> = [ENETUNREACH, EHOSTUNREACH, ENETDOWN, ETIMEDOUT]

    init(_ problem: WebhookReply.Problem, _ sign: UplinkWatch.Sign) { (self.problem, self.sign) = (problem, sign) }

    /// What an error of the library or the system means.
    static func of(_ error: any Error) -> AttemptFailure {
        switch error {
        case let error as NIOConnectionError:
            return connecting(error.connectionErrors.map { ($0.error as? IOError)?.errnoCode })
        case is ChannelError: return AttemptFailure(.connectionFailed, .silent)
        case let error as IOError:
            // A connection that broke off may have carried the message: no other address is tried for it.
            let isBroken = [ECONNRESET, EPIPE].contains(error.errnoCode)
            return isBroken ? AttemptFailure(.noAnswer, .reached) : connecting([error.errnoCode])
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: return AttemptFailure(.tlsFailed, .reached)
        case is CancellationError: return AttemptFailure(.timedOut, .neither)
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout: return AttemptFailure(.connectionFailed, .silent)
            case .deadlineExceeded, .readTimeout, .tlsHandshakeTimeout, .cancelled:
                return AttemptFailure(.timedOut, .neither)
            default: return AttemptFailure(.noAnswer, .neither)
            }
        default: return AttemptFailure(.noAnswer, .neither)
        }
    }

    /// - Parameter numbers: of the system's errors, one for each try; nil for what is none.
    private static func connecting(_ numbers: [CInt?]) -> AttemptFailure {
        if numbers.contains(where: { $0.map(own.contains) ?? false }) { return AttemptFailure(.ours, .neither) }
        let isSilent = numbers.allSatisfy { $0.map(unreachable.contains) ?? true }
        return AttemptFailure(.connectionFailed, isSilent ? .silent : .reached)
    }
}
