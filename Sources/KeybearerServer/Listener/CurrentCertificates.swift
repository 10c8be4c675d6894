import Keybearer
import NIOCore
import NIOSSL
import Synchronization

/// The certificate that new connections are shown: read at the start, and again when the process is told to.
final class CurrentCertificates: Sendable {
    private let files: (certificate: String, key: String)
    private let current: Lock<NIOSSLContext>

    /// - Throws: when a file cannot be read, or the two do not fit.
    init(certificateFile: String, keyFile: String) throws {
        files = (certificateFile, keyFile)
        current = Lock(try Self.read(files))
    }

    var context: NIOSSLContext { current.withLock { $0 } }

    /// Reads the files again. Connections that are open keep what they have.
    ///
    /// - Throws: when they cannot be used: then nothing changes.
    func reload() throws {
        let fresh = try Self.read(files)
        current.withLock { $0 = fresh }
    }

    private static func read(_ files: (certificate: String, key: String)) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
        configuration.applicationProtocols = ["h2", "http/1.1"]
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = .seconds(1)
        return try NIOSSLContext(configuration: configuration)
    }
}
