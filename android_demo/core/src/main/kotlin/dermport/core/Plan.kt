package dermport.core

import kotlin.math.max
import kotlin.math.min

/**
 * The first reduction of photos of one size and orientation, with all of its tables and memory.
 *
 * Pillow resamples one axis of the upright picture, rounds to 8 bits, and then the other; so does
 * this, in the order in which the stored rows come. Where the first axis lies along them, each row
 * is reduced by itself. Where it lies across, the sums of its outputs grow with every stored row.
 */
internal class Plan(
    private val width: Int,
    private val height: Int,
    private val orientation: Orientation,
    private val recipe: Recipe,
) {
    private val side = recipe.effectiveResolution
    private val first: Axis
    private val second: Axis
    private val downFirst: Boolean
    private val along: Boolean

    init {
        val uprightWidth = if (orientation.transposed) height else width
        val uprightHeight = if (orientation.transposed) width else height
        val short = min(uprightWidth, uprightHeight)
        val cropped = recipe.crop == Crop.CENTER_SQUARE
        val x = Axis(uprightWidth, if (cropped) short else uprightWidth, side, orientation.mirrorX)
        val y = Axis(uprightHeight, if (cropped) short else uprightHeight, side, orientation.mirrorY)
        // as Pillow 13 chooses it; before, x always came first, which is a grey level apart at most
        downFirst = y.length > side && y.length - side > 2 * (x.length - side)
        first = if (downFirst) y else x
        second = if (downFirst) x else y
        along = downFirst == orientation.transposed
    }

    private val strip = IntArray(width * max(1, min(height, STRIP_PIXELS / width)))
    private val stripRows = strip.size / width
    private val between = ByteArray(second.length * side * CHANNELS)
    private val turned = ByteArray(if (downFirst) side * side * CHANNELS else 0)

    // Across: sums of the outputs whose window the present stored row is in.
    private val slots = if (along) 0 else openWindows()
    private val sums = IntArray(slots * second.length * CHANNELS)

    fun fits(pixels: Pixels, orientation: Orientation) =
        pixels.width == width && pixels.height == height && orientation == this.orientation

    /** Writes the `side` × `side` RGB picture. */
    fun reduce(pixels: Pixels, to: ByteArray) {
        var from = 0
        while (from < height) {
            val count = min(stripRows, height - from)
            pixels.read(from, count, strip)
            for (row in 0 until count) {
                if (along) reduceRow(from + row, row * width) else addRow(from + row, row * width)
            }
            from += count
        }
        val reduced = if (downFirst) turned else to
        if (second.untouched) {
            between.copyInto(reduced)
        } else {
            Preprocessor.alongColumns(between, second.resampling, side, reduced)
        }
        if (downFirst) turn(to)
    }

    private fun reduceRow(stored: Int, start: Int) {
        val line = second.place(stored)
        if (line < 0 || line >= second.length) return
        if (first.mirrored) mirror(start)
        var target = line * side * CHANNELS
        val from = start + first.offset
        if (first.untouched) {
            for (x in 0 until side) target = put(strip[from + x], target)
            return
        }
        val resampling = first.resampling
        val weights = resampling.weights
        for (k in 0 until side) {
            var red = Resampling.HALF
            var green = Resampling.HALF
            var blue = Resampling.HALF
            val base = k * resampling.width
            val left = from + resampling.first[k]
            for (i in 0 until resampling.count[k]) {
                val pixel = strip[left + i]
                val weight = weights[base + i]
                red += ((pixel shr 16) and 0xFF) * weight
                green += ((pixel shr 8) and 0xFF) * weight
                blue += (pixel and 0xFF) * weight
            }
            between[target] = Resampling.sample(red).toByte()
            between[target + 1] = Resampling.sample(green).toByte()
            between[target + 2] = Resampling.sample(blue).toByte()
            target += CHANNELS
        }
    }

    private fun mirror(start: Int) {
        var low = start
        var high = start + width - 1
        while (low < high) {
            val kept = strip[low]
            strip[low++] = strip[high]
            strip[high--] = kept
        }
    }

    private fun put(pixel: Int, target: Int): Int {
        between[target] = (pixel shr 16).toByte()
        between[target + 1] = (pixel shr 8).toByte()
        between[target + 2] = pixel.toByte()
        return target + CHANNELS
    }

    private fun addRow(stored: Int, start: Int) {
        val place = first.place(stored)
        if (place < 0 || place >= first.length) return
        if (first.untouched) {
            for (line in 0 until second.length) {
                put(strip[start + second.stored(line)], (line * side + place) * CHANNELS)
            }
            return
        }
        val resampling = first.resampling
        var k = firstWindowAt(place)
        while (k < side && resampling.first[k] <= place) {
            val last = resampling.first[k] + resampling.count[k] - 1
            if (place <= last) {
                val slot = (k % slots) * second.length * CHANNELS
                val opens = place == if (first.mirrored) last else resampling.first[k]
                val closes = place == if (first.mirrored) resampling.first[k] else last
                if (opens) sums.fill(Resampling.HALF, slot, slot + second.length * CHANNELS)
                addTo(slot, resampling.weights[k * resampling.width + place - resampling.first[k]], start)
                if (closes) close(slot, k)
            }
            k++
        }
    }

    private fun firstWindowAt(place: Int): Int {
        var k = (place.toLong() * side / first.length).toInt()
        while (k > 0 && first.resampling.first[k - 1] + first.resampling.count[k - 1] > place) k--
        return k
    }

    private fun addTo(slot: Int, weight: Int, start: Int) {
        var place = start + second.stored(0)
        val step = if (second.mirrored) -1 else 1
        var target = slot
        for (line in 0 until second.length) {
            val pixel = strip[place]
            sums[target] += ((pixel shr 16) and 0xFF) * weight
            sums[target + 1] += ((pixel shr 8) and 0xFF) * weight
            sums[target + 2] += (pixel and 0xFF) * weight
            place += step
            target += CHANNELS
        }
    }

    private fun close(slot: Int, k: Int) {
        var from = slot
        for (line in 0 until second.length) {
            val target = (line * side + k) * CHANNELS
            for (channel in 0 until CHANNELS) between[target + channel] = Resampling.sample(sums[from++]).toByte()
        }
    }

    private fun turn(to: ByteArray) {
        for (y in 0 until side) {
            for (x in 0 until side) {
                for (channel in 0 until CHANNELS) {
                    to[(y * side + x) * CHANNELS + channel] = turned[(x * side + y) * CHANNELS + channel]
                }
            }
        }
    }

    /** The most windows that one sample lies in, and one more. */
    private fun openWindows(): Int {
        val resampling = first.resampling
        var most = 1
        var oldest = 0
        for (k in 0 until side) {
            while (resampling.first[oldest] + resampling.count[oldest] <= resampling.first[k]) oldest++
            most = max(most, k - oldest + 1)
        }
        return most + 1
    }

    /** One axis of the upright picture, and how it lies on the stored one. */
    private class Axis(private val whole: Int, val length: Int, side: Int, val mirrored: Boolean) {
        val offset = (whole - length) / 2
        val untouched = length == side
        val resampling = Resampling(length, side)

        /** Where a stored row or column lies in the cropped picture; outside of it below 0 or beyond. */
        fun place(stored: Int) = (if (mirrored) whole - 1 - stored else stored) - offset

        /** The stored row or column of a place in the cropped picture. */
        fun stored(place: Int) = if (mirrored) whole - 1 - offset - place else offset + place
    }

    private companion object {
        const val CHANNELS = Preprocessor.CHANNELS
        const val STRIP_PIXELS = 1 shl 16
    }
}
