package dermport.demo

import dermport.core.Contract
import java.util.Locale

/** What the contract in the file says of its model, in words. */
object ModelCard {
    fun text(model: OpenedModel): String {
        val contract = model.file.contract
        val training = contract.training
        val lines = ArrayList<String>()
        lines += "${contract.name} (${model.name}, ${number(model.bytes / 1e6)} MB)"
        lines += contract.labels.joinToString(prefix = "Knows: ") { it.name }
        val teacher = training.teacher?.let { " from $it" } ?: ""
        lines += "${training.student}, trained by ${training.method}$teacher on ${training.images} images " +
            "(${training.data}), split by ${training.splitProtocol}"
        if (training.synthetic) lines += "Its images were drawn by code: it knows nothing about skin."
        for ((name, value) in training.metrics) {
            if (value !is Number) continue
            lines += "${name.replace('_', ' ')} ${number(value.toDouble())}${interval(contract, name)}"
        }
        lines += sensitivity(contract)
        lines += contract.intendedUse
        return lines.joinToString("\n\n")
    }

    private fun interval(contract: Contract, name: String): String {
        val ends = contract.training.metrics["${name}_interval"] as? List<*> ?: return ""
        val numbers = ends.filterIsInstance<Number>().map { number(it.toDouble()) }
        return if (numbers.size == 2) " (95 % interval ${numbers[0]} to ${numbers[1]})" else ""
    }

    private fun sensitivity(contract: Contract): String {
        val calibration = contract.calibration
        val each = contract.labels.mapNotNull { label ->
            calibration.sensitivity[label.code]?.let { "${label.name} ${percent(it)}" }
        }
        return "Answers ${percent(calibration.acceptedShare)} of pictures like those it was trained on, the " +
            "others are unknown to it. Of those it finds: ${each.joinToString()}."
    }

    fun percent(share: Double): String = "%.0f %%".format(Locale.getDefault(), share * 100)

    fun number(value: Double): String = "%.3g".format(Locale.getDefault(), value)
}
