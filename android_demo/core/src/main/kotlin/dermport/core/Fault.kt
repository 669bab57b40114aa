package dermport.core

/**
 * What a person can do something about; the app has a sentence for each, in its string resources.
 *
 * @property details what stands in that sentence, in its order: names, numbers and terms of the file
 *     format such as "array", none of which is translated.
 */
sealed class Fault(vararg details: Any) {
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

    // answers
    class AnswerWithoutSense(sum: Float) : Fault(sum)
    object AnswerOfAnotherModel : Fault()

    // model files
    class ModelDamaged(file: String) : Fault(file)
    class ModelOfAnotherKind(file: String) : Fault(file)
    class ModelWithoutContract(file: String) : Fault(file)
    class ModelOfAnotherNetwork(file: String, found: String, expected: String) : Fault(file, found, expected)
    class ModelFileTooLarge(file: String, megabytes: Long) : Fault(file, megabytes)
    class ModelRefused(file: String, reason: String) : Fault(file, reason)
    object ModelMissing : Fault()
    class ModelNotAlone(files: String) : Fault(files)
    object FileGone : Fault()

    // contracts
    class ContractNotJson(file: String, character: Int) : Fault(file, character)
    class ContractKeyTwice(file: String, key: String) : Fault(file, key)
    class ContractKeyMissing(file: String, key: String, found: String) : Fault(file, key, found)
    class ContractKeyUnknown(file: String, key: String, known: String) : Fault(file, key, known)
    class ContractValue(file: String, key: String, found: String, expected: String) : Fault(file, key, found, expected)
    class ContractNewer(file: String, version: String, own: String) : Fault(file, version, own)
    class ContractOlder(file: String, version: String, own: String) : Fault(file, version, own)

    // the phone
    object StorageFull : Fault()
    object MemoryFull : Fault()
    object ChooserMissing : Fault()
    class RuntimeFailed(delegate: String, reason: String) : Fault(delegate, reason)
    class RuntimeMissing(abi: String) : Fault(abi)
    class BenchmarkValue(name: String, found: String, expected: String) : Fault(name, found, expected)

    override fun toString(): String = (listOf<Any>(javaClass.simpleName) + details).joinToString(" | ")
}
