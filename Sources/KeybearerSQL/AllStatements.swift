/// Every statement of this module: a test prepares each of them on both engines, and `scripts/lint-sql` refuses a
/// statement that is in none of these lists.
package enum AllStatements {
    package static let all: [SQL] =
        AccountSQL.all + KeySQL.all + ImportedKeySQL.all + MasterKeySQL.all + WorkspaceSQL.all + MemberSQL.all
        + ServiceAccountSQL.all
        + InvitationSQL.all + PlanSQL.all + SessionSQL.all + OperatorTokenSQL.all + PortalLinkSQL.all + IdentitySQL.all
        + SecondFactorSQL.all + MailSQL.all + MailLinkSQL.all + KnownDeviceSQL.all + AuditSQL.all + AuditSealSQL.all
        + AuditPageSQL.all + NodeSQL.all
        + SettingSQL.all + ChangeLogSQL.all + DeletedAccountWindowSQL.all + LimitSQL.all + DeletionSQL.all
        + PersonalDataSQL.all + BulkSQL.all + UsageSQL.all + KeyHistorySQL.all
        + DataProblemSQL.all + TwinSQL.all + WebhookEndpointSQL.all + WebhookMessageSQL.all + WebhookQueueSQL.all
        + WebhookDeliverySQL.all + WebhookRemovalSQL.all + EventTypeSQL.all + BacklogSQL.all
        + CopiedTable.all.flatMap { [$0.count, $0.clear, $0.firstPage, $0.pageAfter, $0.insert] }

    /// Those to which an engine adds how the rows are locked.
    package static let locking: [SQL] = LockSQL.all
}
