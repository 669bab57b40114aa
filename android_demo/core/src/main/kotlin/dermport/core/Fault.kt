package dermport.core

/**
 * What a person can do something about; the app has a sentence for each, in its string resources.
 *
 * @property details what stands in that sentence, in its order: names and numbers alone.
 * @property technical what helps whoever made the file, or the app; English, shown apart from the sentence
 *     and not translated. null where the sentence says it all.
 */
sealed class Fault(vararg details: Any, val technical: String? = null) {
    val details: List<Any> = details.asList()

    // pictures
    object PictureEmpty : Fault()
    object PictureDamaged : Fault()
    object PictureHeic : Fault()
    object PictureOfUnknownKind : Fault()
    class PictureTooLarge(width: Int, height: Int, megapixels: Long) : Fault(width, height, megapixels)
    class PictureFileTooLarge(megabytes: Long) : Fault(megabytes)
    object PictureNotDecoded : Fault()
    object PictureGone : Fault()
    object CapturedGone : Fault()

    // answers
    class AnswerWithoutSense(sum: Float) : Fault(sum)
    object AnswerOfAnotherModel : Fault()

    // model files
    class ModelDamaged(file: String) : Fault(file)
    class ModelOfAnotherKind(file: String) : Fault(file)
    class ModelWithoutContract(file: String) : Fault(file)
    class ModelOfAnotherNetwork(file: String, technical: String) : Fault(file, technical = technical)
    class ModelFileTooLarge(file: String, megabytes: Long) : Fault(file, megabytes)
    class ModelRefused(file: String, technical: String) : Fault(file, technical = technical)
    object ModelMissing : Fault()
    class ModelNotAlone(files: String) : Fault(files)
    object FileGone : Fault()

    // contracts
    class ContractInvalid(file: String, technical: String) : Fault(file, technical = technical)
    class ContractNewer(file: String, version: String, own: String) : Fault(file, version, own)
    class ContractOlder(file: String, version: String, own: String) : Fault(file, version, own)

    // the phone
    object StorageFull : Fault()
    object MemoryFull : Fault()
    object ChooserMissing : Fault()
    class RuntimeFailed(delegate: String, technical: String) : Fault(delegate, technical = technical)
    class RuntimeMissing(abi: String) : Fault(abi)
    class Unexpected(technical: String) : Fault(technical = technical)
    class BenchmarkValue(technical: String) : Fault(technical = technical)

    override fun toString(): String = (listOf<Any>(javaClass.simpleName) + details + listOfNotNull(technical)).joinToString(" | ")
}
