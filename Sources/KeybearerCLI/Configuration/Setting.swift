/// Every setting: its name, what it wants, and its default.
///
/// One name serves everywhere: `--trusted-proxies`, `KEYBEARER_TRUSTED_PROXIES`, `"trusted-proxies"` in the file.
enum Setting: String, CaseIterable {
    case address
    case tlsCertificate = "tls-certificate"
    case tlsKey = "tls-key"
    case publicURL = "public-url"
    case apiURL = "api-url"
    case productName = "product-name"
    case productLogo = "product-logo"
    case supportURL = "support-url"
    case accentColor = "accent-color"
    case database
    case databaseConnections = "database-connections"
    case databaseWait = "database-wait"
    case masterKeyFile = "master-key-file"
    case keyPrefix = "key-prefix"
    case portalReturnURLs = "portal-return-urls"
    case embedOrigins = "embed-origins"
    case oidcIssuer = "oidc-issuer"
    case oidcClientID = "oidc-client-id"
    case oidcClientSecretFile = "oidc-client-secret-file"
    case oidcName = "oidc-name"
    case oidcEmailVerified = "oidc-email-verified"
    case oidcProvision = "oidc-provision"
    case mailCommand = "mail-command"
    case mailFrom = "mail-from"
    case webhookAllowedNetworks = "webhook-allowed-networks"
    case webhookCertificates = "webhook-certificates"
    case webhookRetention = "webhook-retention"
    case trustedProxies = "trusted-proxies"
    case operatorAddress = "operator-address"
    case metricsAddress = "metrics-address"
    case gateAddress = "gate-address"
    case gateTrustedProxies = "gate-trusted-proxies"
    case gateWorkspacePath = "gate-workspace-path"
    case lease
    case headerBytes = "header-bytes"
    case headerCount = "header-count"
    case headTimeout = "head-timeout"
    case requestTimeout = "request-timeout"
    case idleTimeout = "idle-timeout"
    case stopTimeout = "stop-timeout"
    case rememberedAccounts = "remembered-accounts"
    case usageRetention = "usage-retention"
    case signUp = "sign-up"
    case regenerateByKey = "regenerate-by-key"
    case passwordCost = "password-cost"
    case auditRetention = "audit-retention"
    case accessLog = "access-log"
    case accessLogSample = "access-log-sample"
    case logFormat = "log-format"
    case logLevel = "log-level"

    /// The environment variable.
    var variable: String { "KEYBEARER_" + rawValue.uppercased().replacing("-", with: "_") }

    /// The value when nothing says otherwise; nil when the setting may be absent.
    var defaultValue: String? {
        switch self {
        case .address: "127.0.0.1:8080"
        case .tlsCertificate, .tlsKey, .publicURL, .apiURL, .productLogo, .supportURL, .accentColor, .operatorAddress,
            .metricsAddress, .gateAddress, .gateWorkspacePath, .regenerateByKey, .auditRetention:
            nil
        case .productName: "Keybearer"
        case .oidcIssuer, .oidcClientID, .oidcClientSecretFile, .mailCommand, .mailFrom, .webhookCertificates: nil
        case .oidcName: "single sign-on"
        case .oidcEmailVerified: "true"
        case .oidcProvision: "closed"
        case .database: "keybearer.db"
        case .databaseConnections: "8"
        case .databaseWait: "60s"
        case .masterKeyFile: "keybearer.keys"
        case .keyPrefix: "tdc_"
        case .trustedProxies, .portalReturnURLs, .embedOrigins, .webhookAllowedNetworks: ""
        case .webhookRetention: "30"
        case .gateTrustedProxies: "127.0.0.0/8,::1/128"
        case .lease: "2s"
        case .headerBytes: "32768"
        case .headerCount: "100"
        case .headTimeout: "10s"
        case .requestTimeout, .idleTimeout: "60s"
        case .stopTimeout: "20s"
        case .rememberedAccounts: "1000000"
        case .usageRetention: "760"
        case .signUp: "open"
        case .passwordCost: "17"
        case .accessLog: "off"
        case .accessLogSample: "1"
        case .logFormat: "text"
        case .logLevel: "info"
        }
    }

    /// What kind of value a setting takes: it decides which JSON types the file may use.
    enum Kind: Sendable {
        /// Text, whatever it means.
        case text
        /// A whole number, as a JSON number or as text.
        case wholeNumber
        /// Networks or URLs: an array of strings, or text with commas.
        case networks
    }

    /// What kind of value it takes.
    var kind: Kind {
        switch self {
        case .databaseConnections, .headerBytes, .headerCount, .rememberedAccounts, .usageRetention, .passwordCost,
            .webhookRetention, .accessLogSample:
            .wholeNumber
        case .trustedProxies, .gateTrustedProxies, .portalReturnURLs, .embedOrigins, .webhookAllowedNetworks: .networks
        case .address, .tlsCertificate, .tlsKey, .publicURL, .apiURL, .productName, .productLogo, .supportURL,
            .accentColor, .database, .databaseWait, .masterKeyFile, .keyPrefix, .operatorAddress,
            .metricsAddress, .gateAddress, .gateWorkspacePath, .lease, .headTimeout, .requestTimeout, .idleTimeout,
            .stopTimeout, .signUp,
            .regenerateByKey, .accessLog, .logFormat, .logLevel, .oidcIssuer, .oidcClientID, .oidcClientSecretFile,
            .oidcName,
            .oidcEmailVerified, .oidcProvision, .mailCommand, .mailFrom, .auditRetention, .webhookCertificates:
            .text
        }
    }

    /// Whether its value may hold a password, and is never repeated.
    var isSecret: Bool { self == .database }

    /// Whether the audit log has its changes. What belongs to one machine is left out: where it listens, its files, its
    /// limits of connections, its log.
    var isNoted: Bool {
        switch self {
        case .publicURL, .apiURL, .productName, .supportURL, .keyPrefix, .portalReturnURLs, .embedOrigins, .oidcIssuer,
            .oidcClientID, .oidcName, .oidcEmailVerified, .oidcProvision, .mailCommand, .mailFrom,
            .webhookAllowedNetworks, .webhookRetention, .trustedProxies, .gateTrustedProxies, .gateWorkspacePath,
            .lease, .usageRetention, .signUp, .regenerateByKey, .passwordCost, .auditRetention:
            true
        case .address, .tlsCertificate, .tlsKey, .productLogo, .accentColor, .database, .databaseConnections,
            .databaseWait, .masterKeyFile, .oidcClientSecretFile, .webhookCertificates, .operatorAddress,
            .metricsAddress, .gateAddress, .headerBytes, .headerCount, .headTimeout, .requestTimeout, .idleTimeout,
            .stopTimeout,
            .rememberedAccounts, .accessLog, .accessLogSample, .logFormat, .logLevel:
            false
        }
    }

    /// What the setting wants, as it completes "wants …".
    var wants: String {
        switch self {
        case .address: "a host and a port such as 127.0.0.1:8080, [::1]:8080, or *:8080 for all addresses"
        case .tlsCertificate: "the path of a PEM file with the certificate chain"
        case .tlsKey: "the path of a PEM file with the certificate's private key"
        case .publicURL: "an address such as https://yourapp.com or https://yourapp.com/developers"
        case .apiURL: "an address such as https://api.yourapp.com"
        case .productName: "a name of 1 to 60 characters"
        case .productLogo: "the path of a PNG, WebP or SVG file of at most 256 KiB"
        case .supportURL: "an address such as https://yourapp.com/help or mailto:help@yourapp.com"
        case .accentColor: "a colour such as #0b6357"
        case .database: "the path of an SQLite file, or a connection string of PostgreSQL"
        case .databaseConnections: "a whole number from 1 to 200"
        case .databaseWait: "a span from 0s to 1h"
        case .masterKeyFile: "the path of the file with the master keys"
        case .keyPrefix: "2 to 16 lower-case letters, digits or underscores, beginning with a letter and ending with _"
        case .portalReturnURLs: "addresses such as https://yourapp.com/settings, comma-separated"
        case .embedOrigins: "origins such as https://app.yourapp.com, comma-separated"
        case .oidcIssuer:
            "the issuer of an OpenID Connect provider such as https://login.example.com, exactly as it names itself"
        case .oidcClientID: "the client id that the provider gave, of 1 to 255 characters"
        case .oidcClientSecretFile: "the path of the file with the client secret that the provider gave"
        case .oidcName: "what people call the provider, in 1 to 60 characters"
        case .oidcEmailVerified: "true, string or absent"
        case .oidcProvision: "open or closed"
        case .mailCommand:
            "the absolute path of a program that takes -t and -i as sendmail does, with arguments before these if it needs any"
        case .mailFrom: "an e-mail address such as keys@yourapp.com"
        case .webhookAllowedNetworks: "networks such as 10.0.0.0/8,fd00::/8, comma-separated"
        case .webhookCertificates: "the path of a PEM file with certificates"
        case .webhookRetention: "a whole number of days from 15 to 365"
        case .trustedProxies: "networks such as 10.0.0.0/8,2001:db8::/32, comma-separated"
        case .operatorAddress:
            "an internal host and port such as 127.0.0.1:8082, or unix: and the absolute path of a socket"
        case .metricsAddress:
            "an internal host and port such as 127.0.0.1:9464, or unix: and the absolute path of a socket"
        case .gateAddress:
            "an internal host and port such as 127.0.0.1:8081, or unix: and the absolute path of a socket"
        case .gateTrustedProxies: "networks of the gateways such as 10.0.0.0/8,2001:db8::/32, comma-separated"
        case .gateWorkspacePath: "the beginning of a path with {workspace} in it once, such as /workspaces/{workspace}"
        case .lease: "a span from 500ms to 30s"
        case .headerBytes: "a whole number of bytes from 4096 to 131072"
        case .headerCount: "a whole number from 20 to 1000"
        case .headTimeout: "a span from 1s to 1m"
        case .requestTimeout: "a span from 1s to 10m"
        case .idleTimeout: "a span from 1s to 1h"
        case .stopTimeout: "a span from 1s to 10m"
        case .rememberedAccounts: "a whole number from 1000 to 100000000"
        case .usageRetention: "a whole number of days from 31 to 3660"
        case .signUp, .regenerateByKey: "open or closed"
        case .passwordCost: "a whole number from 17 to 20 (scrypt's N is 2 to this power)"
        case .auditRetention: "a number of days from 30d to 36500d"
        case .accessLog: "off, text or json"
        case .accessLogSample: "a whole number from 1 to 1000000"
        case .logFormat: "text or json"
        case .logLevel: "debug, info, notice, warning or error"
        }
    }
}

/// A setting whose value is not accepted: says which, what it got and from where, and what it wants.
struct SettingError: Error, CustomStringConvertible {
    let name: String
    let got: String
    let source: String
    let wants: String
    /// What is wrong with this value, where more is known than that it is not what is wanted.
    var reason: String?

    var description: String {
        "setting \(name): got \(got) from \(source), wants \(wants)" + (reason.map { ". \($0)." } ?? "")
    }
}
