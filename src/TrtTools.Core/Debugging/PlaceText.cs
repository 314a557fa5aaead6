using System.Globalization;

namespace TrtTools.Debugging;

/// <summary>Places in a row as text: "3-7,9".</summary>
internal static class PlaceText
{
    public static string Of(IEnumerable<int> places)
    {
        List<string> parts = [];
        int[] sorted = [.. places.Order()];
        for (int i = 0; i < sorted.Length; i++)
        {
            int first = sorted[i];
            while (i + 1 < sorted.Length && sorted[i + 1] == sorted[i] + 1) i++;
            parts.Add(first == sorted[i] ? first.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{first}-{sorted[i]}"));
        }
        return string.Join(',', parts);
    }
}
