package import Keybearer

/// A plan of the catalogue.
package struct PlanJSON: JSONNoun {
    let id: PlanID
    let name: String
    let features: [Feature]
    let hourlyLimit: Int
    let billingURL: Nullable<String>
    let position: Int

    package init(_ plan: Plan) {
        (id, name, features) = (plan.id, plan.name, plan.features.sorted())
        (hourlyLimit, position) = (plan.hourlyLimit, plan.position)
        billingURL = Nullable(plan.billingURL?.description)
    }

    package static let noun = "Plan"
    package static let sample = PlanJSON(Plan.defaultCatalogue[1])
}
