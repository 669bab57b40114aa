package dermport.core

/**
 * What the first screen says of models.
 *
 * @property model the one in use; null while it is being read, and where there is none.
 * @property missing why there is none.
 * @property refused why what a person chose last came to nothing.
 * @property progress what is being done with what a person chose last, or that it is done.
 */
data class ModelNews<M : Any>(
    val model: M? = null,
    val missing: String? = null,
    val refused: String? = null,
    val progress: String? = null,
) {
    val isBeingRead: Boolean get() = model == null && missing == null

    /** What went wrong, in words; null where nothing did. */
    val message: String? get() = listOfNotNull(refused, missing).distinct().joinToString("\n\n").ifEmpty { null }

    /** The model in use was read when the screen came to the front; what was refused before is still refused. */
    fun found(model: M): ModelNews<M> = copy(model = model, missing = null)

    fun foundNone(why: String): ModelNews<M> = copy(model = null, missing = why)

    /** A person chose another model, which is being tried. */
    fun trying(progress: String): ModelNews<M> = copy(refused = null, progress = progress)

    /** It is in use, and [progress] says so: whatever went wrong before is over. */
    fun chosen(model: M, progress: String): ModelNews<M> = ModelNews(model, progress = progress)

    /** What a person chose cannot be used; the model in use stays. */
    fun refuse(why: String): ModelNews<M> = copy(refused = why, progress = null)

    /** A person does something else. */
    fun begun(): ModelNews<M> = copy(refused = null, progress = null)
}
