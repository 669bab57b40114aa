package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Test

class CameraSizesTest {
    private val sizes = sizes("4080x3060 4000x3000 4000x2250 2592x1944 1920x1440 1920x1080 1600x1200 1440x1080 640x480 320x240")

    @Test
    fun `the picture is the largest of 4 to 3 and 12 megapixels`() {
        assertEquals(CameraSize(4080, 3060), CameraSizes.photo(sizes))
        assertEquals(CameraSize(4000, 3000), CameraSizes.photo(sizes("8000x6000 4000x3000 4000x2250")))
        assertEquals(CameraSize(8000, 6000), CameraSizes.photo(sizes("9000x6000 8000x6000")))
    }

    @Test
    fun `the preview has the picture's proportions and at most 1920 by 1080`() {
        assertEquals(CameraSize(1440, 1080), CameraSizes.preview(sizes, CameraSize(4080, 3060)))
        assertEquals(CameraSize(1920, 1080), CameraSizes.preview(sizes, CameraSize(4000, 2250)))
        assertEquals(CameraSize(1920, 1440), CameraSizes.preview(sizes("2592x1944 1920x1440"), CameraSize(4000, 3000)))
    }

    @Test
    fun `the frames for the hint are at most 640 wide`() {
        assertEquals(CameraSize(640, 480), CameraSizes.hint(sizes, CameraSize(4080, 3060)))
    }

    private fun sizes(words: String) = words.split(' ').map { word ->
        word.split('x').map { it.toInt() }.let { (width, height) -> CameraSize(width, height) }
    }
}
