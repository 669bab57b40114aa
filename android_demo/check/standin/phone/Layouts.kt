package dermport.phone

import android.content.Context
import android.util.AttributeSet
import android.view.View
import android.view.ViewGroup
import org.w3c.dom.Element
import java.io.File
import javax.xml.parsers.DocumentBuilderFactory

/** What the app's manifest, strings and layouts say; the latter by the numbers in its class R. */
internal class Layouts(private val folder: File) {
    private val strings: Map<String, String> = children(xml("values/strings")).associate {
        it.getAttribute("name") to unescaped(it.textContent)
    }
    private val names: Map<String, Map<Int, String>> = listOf("string", "layout", "id").associateWith { kind ->
        Class.forName("$APP.R$$kind").fields.associate { it.getInt(null) to it.name }
    }
    private val numbers = names.getValue("id").entries.associate { it.value to it.key }

    private val activities = children(xml("../AndroidManifest"))
        .single { it.tagName == "application" }.let(::children)
        .filter { it.tagName == "activity" }
        .associateBy { it.getAttribute("android:name").substringAfterLast('.') }

    /** Whether other apps may open a screen, by its class. */
    fun isExported(screen: String) = activities.getValue(screen).getAttribute("android:exported") == "true"

    /** Whether a screen that is in front already is told of another start instead of opened twice. */
    fun isSingleTop(screen: String) = activities.getValue(screen).getAttribute("android:launchMode") == "singleTop"

    fun string(id: Int): String = strings.getValue(names.getValue("string").getValue(id))

    fun idOf(name: String): Int = numbers[name] ?: error("no view is called $name")

    fun nameOf(view: View): String? = names.getValue("id")[view.id]

    fun inflate(context: Context, layout: Int): View =
        made(context, xml("layout/${names.getValue("layout").getValue(layout)}"))

    private fun made(context: Context, element: Element): View {
        val attributes = HashMap<String, String>()
        for (i in 0 until element.attributes.length) {
            val attribute = element.attributes.item(i)
            attributes[attribute.nodeName.substringAfter(':')] = text(attribute.nodeValue)
        }
        val name = element.tagName
        val type = when {
            '.' in name -> name
            name == "View" || name == "TextureView" -> "android.view.$name"
            else -> "android.widget.$name"
        }
        val made = Class.forName(type).getConstructor(Context::class.java, AttributeSet::class.java)
        val view = made.newInstance(context, AttributeSet(attributes)) as View
        attributes["id"]?.let { view.id = idOf(it.substringAfter('/')) }
        children(element).forEach { (view as ViewGroup).addView(made(context, it)) }
        return view
    }

    private fun text(value: String) =
        if (value.startsWith("@string/")) strings.getValue(value.substringAfter('/')) else value

    private fun xml(name: String): Element =
        DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(folder.resolve("$name.xml")).documentElement

    private fun children(of: Element) = (0 until of.childNodes.length).mapNotNull { of.childNodes.item(it) as? Element }

    private fun unescaped(text: String) = text.replace("\\'", "'").replace("\\\"", "\"").replace("\\n", "\n")

    private companion object {
        const val APP = "dermport.demo"
    }
}
