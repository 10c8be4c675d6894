// swift-tools-version: 6.2
import PackageDescription

// One set of language rules for every target. Warnings about concurrency are errors in Swift 6 mode.
let rules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

// And for what is shipped: a result that nobody looks at is a mistake, above all a change that nobody waited for.
let strictRules = rules + [.treatAllWarnings(as: .error)]

let package = Package(
    name: "keybearer",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "keybearer", targets: ["KeybearerCLI"]),
        .library(name: "Keybearer", targets: ["Keybearer"]),
        .library(name: "KeybearerSQLite", targets: ["KeybearerSQLite"]),
        .library(name: "KeybearerPostgres", targets: ["KeybearerPostgres"]),
        // With the middleware for applications in Swift.
        .library(name: "KeybearerServer", targets: ["KeybearerServer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
    ],
    targets: [
        // The domain: compiles without HTTP and without SQL.
        .target(
            name: "Keybearer",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strictRules
        ),
        // The store over a relational database: every statement that both engines share, once.
        .target(
            name: "KeybearerSQL",
            dependencies: ["Keybearer", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strictRules
        ),
        // The embedded engine.
        .target(
            name: "KeybearerSQLite",
            dependencies: [
                "Keybearer",
                "KeybearerSQL",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strictRules
        ),
        // PostgreSQL's client library, from the system.
        .systemLibrary(
            name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        // The system's library of archive formats.
        .systemLibrary(
            name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"]), .brew(["libarchive"])]),
        // A thread's slice of processor time.
        .systemLibrary(name: "CScheduling"),
        // The shared engine, for many nodes.
        .target(
            name: "KeybearerPostgres", dependencies: ["Keybearer", "KeybearerSQL", "CLibPQ"], swiftSettings: strictRules
        ),
        // What calls out: the client of an OpenID Connect provider, the mail program, webhooks.
        .target(
            name: "KeybearerOutbound",
            dependencies: [
                "Keybearer",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strictRules
        ),
        // The HTTP edge: API, dashboard, operation.
        .target(
            name: "KeybearerServer",
            dependencies: [
                "Keybearer",
                "CScheduling",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "Instrumentation", package: "swift-distributed-tracing"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strictRules,
            // In the binary itself: a bundle beside it would be lost when the binary moves.
            plugins: ["EmbedDashboard"]
        ),
        // Writes the dashboard's templates, scripts and style sheets into a Swift file.
        .executableTarget(name: "embed-files", path: "Plugins/embed-files", swiftSettings: strictRules),
        .plugin(name: "EmbedDashboard", capability: .buildTool(), dependencies: ["embed-files"]),
        // Finds leaked keys in files, archives and histories of git.
        .target(
            name: "KeybearerScan",
            dependencies: ["Keybearer", "CArchive", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strictRules
        ),
        // The commands, and the one place where everything is put together.
        .executableTarget(
            name: "KeybearerCLI",
            dependencies: [
                "Keybearer",
                "KeybearerOutbound",
                "KeybearerPostgres",
                "KeybearerSQL",
                "KeybearerSQLite",
                "KeybearerScan",
                "KeybearerServer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strictRules
        ),
        // An application with the middleware, as a user writes it.
        .executableTarget(
            name: "ExampleAPI",
            dependencies: [
                "Keybearer",
                "KeybearerSQLite",
                "KeybearerServer",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "examples/swift",
            swiftSettings: rules
        ),
        // What several test targets need: temporary folders, seeded randomness, samples, processes, connections.
        .target(
            name: "TestSupport",
            dependencies: ["Keybearer", .product(name: "Logging", package: "swift-log")],
            path: "Tests/Support",
            swiftSettings: rules
        ),
        .testTarget(
            name: "KeybearerTests",
            dependencies: [
                "Keybearer",
                "KeybearerSQL",
                "KeybearerSQLite",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: rules
        ),
        .testTarget(
            name: "StoreTests",
            dependencies: [
                "Keybearer", "KeybearerPostgres", "KeybearerSQL", "KeybearerSQLite", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: rules
        ),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "CScheduling",
                "Keybearer",
                "KeybearerPostgres",
                "KeybearerServer",
                "KeybearerSQL",
                "KeybearerSQLite",
                "TestSupport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            swiftSettings: rules
        ),
        .testTarget(
            name: "OutboundTests",
            dependencies: [
                "Keybearer",
                "KeybearerOutbound",
                "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: rules
        ),
        .testTarget(
            name: "ScanTests", dependencies: ["CArchive", "Keybearer", "KeybearerScan", "TestSupport"],
            swiftSettings: rules
        ),
        .testTarget(
            name: "MiddlewareTests",
            dependencies: [
                "Keybearer",
                "KeybearerServer",
                "KeybearerSQLite",
                "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: rules
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Keybearer",
                "KeybearerCLI",
                "KeybearerOutbound",
                "KeybearerServer",
                "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: rules
        ),
    ]
)
