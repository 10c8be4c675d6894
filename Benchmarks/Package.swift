// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "keybearer", path: ".."),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        // Counts calls of malloc and its kin: the benchmark's own definitions stand before the C library's.
        .target(name: "CAllocationCount"),
        .executableTarget(
            name: "VerificationBenchmark",
            dependencies: [
                "CAllocationCount",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Keybearer", package: "keybearer"),
                .product(name: "KeybearerSQLite", package: "keybearer"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)]
        ),
        // What deliveries are compared with: the same client, which posts and keeps nothing.
        .executableTarget(
            name: "PostBenchmark",
            dependencies: [.product(name: "AsyncHTTPClient", package: "async-http-client")],
            swiftSettings: [.swiftLanguageMode(.v6)]
        ),
    ]
)
