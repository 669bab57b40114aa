package dermport.demo

import android.content.res.Resources
import dermport.core.Fault

/** What the app says of a fault: one string of the resources for each, and apart from it what is technical. */
object Words {
    fun of(resources: Resources, fault: Fault): String =
        withTechnical(resources, resources.getString(id(fault), *fault.details.toTypedArray()), fault.technical)

    /** A sentence, and in a paragraph of its own what is not translated; null where there is nothing. */
    fun withTechnical(resources: Resources, sentence: String, technical: String?): String =
        if (technical == null) sentence else "$sentence\n\n${resources.getString(R.string.technical_detail, technical)}"

    private fun id(fault: Fault): Int = when (fault) {
        is Fault.PictureEmpty -> R.string.fault_picture_empty
        is Fault.PictureDamaged -> R.string.fault_picture_damaged
        is Fault.PictureHeic -> R.string.fault_picture_heic
        is Fault.PictureOfUnknownKind -> R.string.fault_picture_of_unknown_kind
        is Fault.PictureTooLarge -> R.string.fault_picture_too_large
        is Fault.PictureFileTooLarge -> R.string.fault_picture_file_too_large
        is Fault.PictureNotDecoded -> R.string.fault_picture_not_decoded
        is Fault.PictureGone -> R.string.fault_picture_gone
        is Fault.CapturedGone -> R.string.fault_captured_gone
        is Fault.AnswerWithoutSense -> R.string.fault_answer_without_sense
        is Fault.AnswerOfAnotherModel -> R.string.fault_answer_of_another_model
        is Fault.ModelDamaged -> R.string.fault_model_damaged
        is Fault.ModelOfAnotherKind -> R.string.fault_model_of_another_kind
        is Fault.ModelWithoutContract -> R.string.fault_model_without_contract
        is Fault.ModelOfAnotherNetwork -> R.string.fault_model_of_another_network
        is Fault.ModelFileTooLarge -> R.string.fault_model_file_too_large
        is Fault.ModelRefused -> R.string.fault_model_refused
        is Fault.ModelMissing -> R.string.fault_model_missing
        is Fault.ModelNotAlone -> R.string.fault_model_not_alone
        is Fault.FileGone -> R.string.fault_file_gone
        is Fault.ContractInvalid -> R.string.fault_contract_invalid
        is Fault.ContractNewer -> R.string.fault_contract_newer
        is Fault.ContractOlder -> R.string.fault_contract_older
        is Fault.StorageFull -> R.string.fault_storage_full
        is Fault.MemoryFull -> R.string.fault_memory_full
        is Fault.ChooserMissing -> R.string.fault_chooser_missing
        is Fault.RuntimeFailed -> R.string.fault_runtime_failed
        is Fault.RuntimeMissing -> R.string.fault_runtime_missing
        is Fault.Unexpected -> R.string.fault_unexpected
        is Fault.BenchmarkValue -> R.string.fault_benchmark_value
    }
}
