public import Keybearer
import NIOCore

extension KeybearerServer {
    /// Settings of the edge.
    public struct Settings: Sendable {
        /// The host to listen on.
        public var host = "127.0.0.1"
        /// The port to listen on; 0 takes a free one.
        public var port = 8080
        /// PEM files of the certificate chain and its private key; nil listens without TLS.
        public var tls: (certificateFile: String, keyFile: String)?
        /// The address by which clients reach the server; nil takes the address that a browser used.
        public var publicURL: PublicURL?
        /// The address by which clients reach the API, if it is another one: the examples show it.
        public var apiURL: PublicURL?
        /// How the pages look like the product's.
        public var brand = Brand()
        /// The pages that may show portal pages in a frame; none for no page.
        public var embedOrigins: [Origin] = []
        /// The operator's own proxies, whose forwarding headers are believed.
        public var trustedProxies: [AddressRange] = []
        /// The prefix of new keys, for the examples.
        public var keyPrefix = KeyPrefix.standard
        /// The most bytes of all header names and values of a request.
        public var headerBytes = 32 * 1_024
        /// The most header fields of a request.
        public var headerCount = 100
        /// How long a request's body may take from its head to its last byte.
        public var bodyTimeout: Duration = .seconds(10)
        /// Whether `POST /api/v1/key/regenerate` exists: it tells its caller the new key, so a thief too.
        public var isRegenerateByKeyOpen = false
        /// How long a connection may stay without a request.
        public var idleTimeout: Duration = .seconds(60)
        /// How long a TLS handshake may take, and as long a request's head from its first byte to its last.
        public var headTimeout: Duration = .seconds(10)
        /// How long a request may take from the end of its head until its answer is handed to the connection.
        public var requestTimeout: Duration = .seconds(60)
        /// Files that the process opens besides its connections: the database's, the log's, the event loops'.
        public var reservedFiles = 128 + 6 * System.coreCount
        /// How long a client may go on sending behind the last answer.
        var linger: Duration = .seconds(1)
        /// The gate's own listener; nil serves none.
        public var gate: GateSettings?
        /// The operator API's own listener; nil serves it on the public one.
        public var operatorAddress: GateSettings.Address?
        /// The listener on which metrics are, plain HTTP; nil serves none. The services then keep them in a
        /// ``PrometheusRegistry``.
        package var metricsAddress: GateSettings.Address?
        /// What the access log has; none is written unless it says how.
        package var accessLog = AccessLog.Settings()
        /// How long a stop may take.
        public var stopTimeout: Duration = .seconds(20)

        /// The defaults above.
        public init() {}
    }
}
