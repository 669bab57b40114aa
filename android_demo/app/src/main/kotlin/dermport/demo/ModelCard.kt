package dermport.demo

import android.content.res.Resources
import dermport.core.Contract
import java.util.Locale

/** What the contract in the file says of its model, in words. */
object ModelCard {
    fun text(resources: Resources, model: OpenedModel): String {
        val contract = model.file.contract
        val lines = ArrayList<String>()
        lines += resources.getString(R.string.card_head, contract.name, model.name, number(model.bytes / 1e6))
        lines += resources.getString(R.string.card_knows, contract.labels.joinToString { it.name })
        lines += trained(resources, contract)
        if (contract.training.synthetic) lines += resources.getString(R.string.card_synthetic)
        for ((name, value) in contract.training.metrics) {
            if (value is Number) lines += metric(resources, contract, name, number(value.toDouble()))
        }
        lines += alert(resources, contract)
        lines += sensitivity(resources, contract)
        lines += contract.intendedUse
        return lines.joinToString("\n\n")
    }

    private fun trained(resources: Resources, contract: Contract): String {
        val told = contract.training
        val teacher = told.teacher
        if (teacher == null) {
            val words = arrayOf<Any>(told.student, told.method, told.images, told.data, told.splitProtocol)
            return resources.getString(R.string.card_trained, *words)
        }
        val words = arrayOf<Any>(told.student, told.method, teacher, told.images, told.data, told.splitProtocol)
        return resources.getString(R.string.card_distilled, *words)
    }

    private fun metric(resources: Resources, contract: Contract, name: String, value: String): String {
        val words = name.replace('_', ' ')
        val (low, high) = contract.training.interval(name) ?: return resources.getString(R.string.card_metric, words, value)
        return resources.getString(R.string.card_metric_interval, words, value, number(low), number(high))
    }

    private fun sensitivity(resources: Resources, contract: Contract): String {
        val calibration = contract.calibration
        val each = contract.labels.mapNotNull { label ->
            calibration.sensitivity[label.code]?.let { "${label.name} ${Percent.whole(it)}" }
        }
        val accepted = Percent.whole(calibration.acceptedShare)
        return resources.getString(R.string.card_sensitivity, accepted, each.joinToString())
    }

    /** The operating point in force. */
    private fun alert(resources: Resources, contract: Contract): String {
        val alert = contract.decision?.alert ?: return resources.getString(R.string.card_no_alert)
        return resources.getString(
            R.string.card_alert,
            contract.labels.first { it.code == alert.code }.name,
            Percent.tenths(alert.threshold),
            Percent.whole(alert.aim),
            *Percent.interval(alert.sensitivity),
            *Percent.interval(alert.specificity),
        )
    }

    private fun number(value: Double): String = "%.3g".format(Locale.getDefault(), value)
}
