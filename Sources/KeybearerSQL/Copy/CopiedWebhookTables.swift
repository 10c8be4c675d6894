import Keybearer

extension CopiedTable {
    static let webhookEndpoints = CopiedTable(
        "webhook_endpoints",
        [
            ("id", .text), ("workspace_id", .text), ("name", .text), ("url", .text), ("events", .text),
            ("state", .text), ("version", .number), ("created_at", .number), ("updated_at", .number),
            ("master_key_id", .text), ("box", .bytes), ("previous_ends_at", .number), ("failing_since", .number),
            ("notice", .number), ("failures", .number), ("paused_until", .number), ("sequence", .number),
        ])

    static let webhookSequences = CopiedTable(
        "webhook_sequences", [("workspace_id", .text), ("last", .number)])

    static let webhookMessages = CopiedTable(
        "webhook_messages",
        [
            ("id", .text), ("event", .text), ("workspace_id", .text), ("user_id", .text), ("endpoint_id", .text),
            ("excluded_id", .text), ("source", .text), ("created_at", .number), ("body", .bytes),
            ("spread_at", .number),
        ])

    static let webhookDeliveries = CopiedTable(
        "webhook_deliveries", key: 2,
        [
            ("endpoint_id", .text), ("message_id", .text), ("event", .text), ("sequence", .number),
            ("created_at", .number), ("state", .text), ("attempts", .number), ("attempts_before", .number),
            ("due_at", .number), ("ended_at", .number), ("claim", .bytes), ("claimed_until", .number),
        ])

    static let webhookAttempts = CopiedTable(
        "webhook_attempts", key: 3,
        [
            ("message_id", .text), ("endpoint_id", .text), ("number", .number), ("at", .number),
            ("duration_ms", .number), ("headers", .text), ("status", .number), ("problem", .text), ("response", .bytes),
        ])

    static let eventTypes = CopiedTable(
        "event_types",
        [("name", .text), ("description", .text), ("example", .text), ("updated_at", .number)])
}
