import ArgumentParser

/// The flags of all settings. Each overrules its variable, which overrules the file.
struct SettingOptions: ParsableArguments {
    /// The heading of these flags in a command's help.
    static let title = "Server settings"

    @Option(name: .long, help: "A JSON file with settings.")
    var config: String?

    @Option(name: .long, help: "Where to listen: host and port.")
    var address: String?

    @Option(name: .long, help: "PEM file with the certificate chain; switches on TLS and HTTP/2.")
    var tlsCertificate: String?

    @Option(name: .long, help: "PEM file with the certificate's private key.")
    var tlsKey: String?

    @Option(name: .customLong("public-url"), help: "The address by which clients reach the server.")
    var publicURL: String?

    @Option(name: .customLong("api-url"), help: "The address by which clients reach the API, if it is another one.")
    var apiURL: String?

    @Option(name: .long, help: "What pages and messages call the product.")
    var productName: String?

    @Option(name: .long, help: "The picture file with the product's mark.")
    var productLogo: String?

    @Option(name: .customLong("support-url"), help: "Where the pages say that help is.")
    var supportURL: String?

    @Option(name: .long, help: "The colour of links and buttons: #rrggbb.")
    var accentColor: String?

    @Option(
        name: .long,
        help: "The SQLite file, or a PostgreSQL connection string for a database that several nodes share.")
    var database: String?

    @Option(name: .long, help: "The most connections to PostgreSQL, besides the three of the fence.")
    var databaseConnections: String?

    @Option(name: .long, help: "How long serve waits for a PostgreSQL that is not up yet.")
    var databaseWait: String?

    @Option(name: .long, help: "The file with the master keys.")
    var masterKeyFile: String?

    @Option(name: .long, help: "The prefix of new keys.")
    var keyPrefix: String?

    @Option(
        name: .customLong("portal-return-urls"),
        help: "Where portal links may lead back: addresses of the product, comma-separated.")
    var portalReturnURLs: String?

    @Option(name: .long, help: "Whose pages may show portal pages in a frame: https origins, comma-separated.")
    var embedOrigins: String?

    @Option(name: .customLong("oidc-issuer"), help: "The OpenID Connect provider with which people can sign in.")
    var oidcIssuer: String?

    @Option(name: .customLong("oidc-client-id"), help: "The client id that the provider gave.")
    var oidcClientID: String?

    @Option(name: .customLong("oidc-client-secret-file"), help: "The file with the client secret.")
    var oidcClientSecretFile: String?

    @Option(name: .customLong("oidc-name"), help: "What people call the provider: Sign in with …")
    var oidcName: String?

    @Option(
        name: .customLong("oidc-email-verified"),
        help: "Which of the provider's words about an address are believed: true, string or absent.")
    var oidcEmailVerified: String?

    @Option(
        name: .customLong("oidc-provision"),
        help: "Whether a person whom nobody knows gets an account at the first sign-in: open or closed.")
    var oidcProvision: String?

    @Option(name: .long, help: "The program that mails go out through, such as /usr/sbin/sendmail.")
    var mailCommand: String?

    @Option(name: .long, help: "The address that mails come from.")
    var mailFrom: String?

    @Option(
        name: .customLong("webhook-allowed-networks"),
        help: "Networks that webhooks may be in although they are not public.")
    var webhookAllowedNetworks: String?

    @Option(
        name: .customLong("webhook-certificates"),
        help: "A PEM file with certificates that webhooks may have besides those that this machine trusts.")
    var webhookCertificates: String?

    @Option(
        name: .customLong("webhook-retention"),
        help: "How many days messages to webhooks are kept (default: 30).")
    var webhookRetention: String?

    @Option(name: .long, help: "Networks of proxies whose forwarding headers are believed, comma-separated.")
    var trustedProxies: String?

    @Option(
        name: .long,
        help: "Where the operator API listens, and then nowhere else: a host and port, or unix: and a path.")
    var operatorAddress: String?

    @Option(name: .long, help: "Where the metrics are: an internal host and port, or unix: and a path.")
    var metricsAddress: String?

    @Option(name: .long, help: "Where the gate listens: an internal host and port, or unix: and a path.")
    var gateAddress: String?

    @Option(name: .long, help: "Networks of the gateways that ask the gate, comma-separated.")
    var gateTrustedProxies: String?

    @Option(name: .long, help: "Where an original path names its workspace, such as /workspaces/{workspace}.")
    var gateWorkspacePath: String?

    @Option(name: .long, help: "How long memory is trusted without the database.")
    var lease: String?

    @Option(name: .long, help: "The most bytes of a request's headers.")
    var headerBytes: String?

    @Option(name: .long, help: "The most headers of a request.")
    var headerCount: String?

    @Option(name: .long, help: "How long a connection may stay without a request.")
    var idleTimeout: String?

    @Option(name: .long, help: "How long a TLS handshake, and a request's head, may take.")
    var headTimeout: String?

    @Option(
        name: .long, help: "How long a request may take from its head until its answer is handed to the connection.")
    var requestTimeout: String?

    @Option(name: .long, help: "How long a stop may take.")
    var stopTimeout: String?

    @Option(name: .long, help: "The most accounts that memory keeps.")
    var rememberedAccounts: String?

    @Option(name: .long, help: "How many days counts of requests are kept.")
    var usageRetention: String?

    @Option(name: .long, help: "Whether anyone may make an account: open or closed.")
    var signUp: String?

    @Option(name: .long, help: "Whether a key may regenerate itself over the API: open or closed.")
    var regenerateByKey: String?

    @Option(name: .long, help: "The cost of password hashes.")
    var passwordCost: String?

    @Option(name: .long, help: "How long audit events are kept, such as 400d.")
    var auditRetention: String?

    @Option(name: .long, help: "How a line for each request looks on standard output: off, text or json.")
    var accessLog: String?

    @Option(name: .long, help: "One of how many requests has such a line.")
    var accessLogSample: String?

    @Option(name: .long, help: "How log lines look: text or json.")
    var logFormat: String?

    @Option(name: .long, help: "The least severe lines that are logged.")
    var logLevel: String?

    /// The values that were given, by setting.
    var given: [Setting: String] {
        let values: [Setting: String?] = [
            .address: address, .tlsCertificate: tlsCertificate, .tlsKey: tlsKey, .publicURL: publicURL,
            .apiURL: apiURL, .productName: productName, .productLogo: productLogo, .supportURL: supportURL,
            .accentColor: accentColor,
            .database: database, .databaseConnections: databaseConnections, .databaseWait: databaseWait,
            .masterKeyFile: masterKeyFile,
            .keyPrefix: keyPrefix,
            .portalReturnURLs: portalReturnURLs, .embedOrigins: embedOrigins, .trustedProxies: trustedProxies,
            .operatorAddress: operatorAddress, .metricsAddress: metricsAddress, .gateAddress: gateAddress,
            .gateTrustedProxies: gateTrustedProxies,
            .gateWorkspacePath: gateWorkspacePath, .lease: lease, .headerBytes: headerBytes, .headerCount: headerCount,
            .headTimeout: headTimeout, .requestTimeout: requestTimeout, .idleTimeout: idleTimeout,
            .stopTimeout: stopTimeout, .rememberedAccounts: rememberedAccounts, .usageRetention: usageRetention,
            .signUp: signUp, .regenerateByKey: regenerateByKey, .passwordCost: passwordCost,
            .auditRetention: auditRetention, .accessLog: accessLog, .accessLogSample: accessLogSample,
            .logFormat: logFormat, .logLevel: logLevel,
            .oidcIssuer: oidcIssuer, .oidcClientID: oidcClientID, .oidcClientSecretFile: oidcClientSecretFile,
            .oidcName: oidcName, .oidcEmailVerified: oidcEmailVerified, .oidcProvision: oidcProvision,
            .mailCommand: mailCommand, .mailFrom: mailFrom, .webhookAllowedNetworks: webhookAllowedNetworks,
            .webhookCertificates: webhookCertificates, .webhookRetention: webhookRetention,
        ]
        return values.compactMapValues { $0 }
    }
}
