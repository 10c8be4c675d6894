import Keybearer
import NIOCore
import NIOSSL
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The certificate that new connections are shown: read at the start, and again at `SIGHUP`.
final class CurrentCertificates: Sendable {
    private let files: (certificate: String, key: String)
    private let current: Lock<Loaded>

    private struct Loaded {
        let context: NIOSSLContext
        /// When the first of the chain ends, in seconds since 1970.
        let end: Int
    }

    /// - Throws: ``CertificateProblem`` when a file cannot be read, or the two do not fit.
    init(certificateFile: String, keyFile: String) throws {
        files = (certificateFile, keyFile)
        current = Lock(try Self.read(files))
    }

    var context: NIOSSLContext { current.withLock { $0.context } }

    /// When the certificate ends, in seconds since 1970: the earliest end in its chain.
    var end: Int { current.withLock { $0.end } }

    /// Reads the files again. Connections that are open keep what they have.
    ///
    /// - Throws: ``CertificateProblem`` when they cannot be used: then nothing changes.
    func reload() throws {
        let fresh = try Self.read(files)
        current.withLock { $0 = fresh }
    }

    private static func read(_ files: (certificate: String, key: String)) throws -> Loaded {
        func step<Result>(_ reason: String, _ body: () throws -> Result) throws -> Result {
            do {
                return try body()
            } catch {
                throw CertificateProblem(certificateFile: files.certificate, keyFile: files.key, reason: reason)
            }
        }
        for file in [files.certificate, files.key] where access(file, R_OK) != 0 {
            throw CertificateProblem(
                certificateFile: files.certificate, keyFile: files.key,
                reason: "\(file): \(String(cString: strerror(errno)))")
        }
        let certificates = try step("the certificate cannot be read") {
            try NIOSSLCertificate.fromPEMFile(files.certificate)
        }
        let key = try step("the key cannot be read") { try NIOSSLPrivateKey(file: files.key, format: .pem) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.applicationProtocols = ["h2", "http/1.1"]
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = .seconds(1)
        let context = try step("they cannot be used together") { try NIOSSLContext(configuration: configuration) }
        return Loaded(context: context, end: certificates.map { Int($0.notValidAfter) }.min() ?? 0)
    }
}

/// A certificate and a key that cannot be used.
package struct CertificateProblem: Error, CustomStringConvertible {
    /// The setting `tls-certificate`.
    let certificateFile: String
    /// The setting `tls-key`.
    let keyFile: String
    /// What is wrong, without a full stop.
    let reason: String

    package var description: String {
        "cannot use tls-certificate \(certificateFile) with tls-key \(keyFile): \(reason). Check that both are PEM files "
            + "and that the key belongs to the certificate."
    }
}
